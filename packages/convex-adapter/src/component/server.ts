/** The Kinora server's API, as far as the component needs it: one request each, never retried here (the scheduler does that). */
import { CopyResult, HEADERS, Job, MAX_IMAGE_BYTES, paths } from '@kinora/protocol'
import * as z from 'zod/mini'
import { defined } from './defined.ts'
import type { ServerAccess } from './environment.ts'
import type { Settings } from './job.ts'
import { COPY_TIMEOUT, REQUEST_TIMEOUT, TRANSFER_TIMEOUT } from './pauses.ts'
import { ServerError, toServerError } from './refusals.ts'

/** What the component keeps of a job on the wire. Fewer required fields than the wire has, so that older servers are understood. */
export const RemoteJob = z.pick(Job, {
  job_id: true,
  status: true,
  progress: true,
  stage: true,
  result_url: true,
  poster_url: true,
  error_message: true,
  error_code: true,
  completed_at: true,
  queue_position: true,
  notice: true,
  notices: true,
})
export type RemoteJob = z.output<typeof RemoteJob>

export interface Submission {
  /** Undefined where the settings have `images`. */
  readonly image: { readonly url: string } | { readonly bytes: Blob } | undefined
  readonly prompt?: string | undefined
  readonly duration: number
  readonly settings: Settings
  readonly webhookUrl?: string | undefined
  /** The same for all attempts at one job, so that a lost answer never makes a second video. */
  readonly idempotencyKey: string
}

/** @throws ServerError */
export async function submitJob(access: ServerAccess, submission: Submission): Promise<RemoteJob> {
  const { image, prompt, duration, settings, webhookUrl, idempotencyKey } = submission
  const fields = defined({ ...settings, prompt, duration, webhook_url: webhookUrl })
  const headers = { [HEADERS.idempotencyKey]: idempotencyKey }
  if (image === undefined || 'url' in image) {
    return request(access, paths.generate(), {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ ...fields, ...defined({ image_url: image?.url }) }),
    })
  }
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) {
    form.append(name, typeof value === 'string' ? value : JSON.stringify(value))
  }
  form.append('image', image.bytes, 'image')
  return request(access, paths.generate(), { method: 'POST', headers, body: form, timeout: TRANSFER_TIMEOUT })
}

/** @throws ServerError, with `code` "job_not_found" where the server does not know the job */
export async function readJob(access: ServerAccess, externalJobId: string): Promise<RemoteJob> {
  return request(access, paths.job(externalJobId), { method: 'GET' })
}

/** @throws ServerError */
export async function cancelJob(access: ServerAccess, externalJobId: string): Promise<void> {
  await send(access, paths.cancel(externalJobId), { method: 'POST' })
}

/** @throws ServerError */
export async function removeJob(access: ServerAccess, externalJobId: string): Promise<void> {
  await send(access, paths.job(externalJobId), { method: 'DELETE' })
}

/**
 * Has the server send the video to an upload URL of the app's storage.
 *
 * @returns the storage's id of it; undefined where the server is too old to do so
 * @throws ServerError
 */
export async function copyVideo(
  access: ServerAccess,
  externalJobId: string,
  { uploadUrl, maxBytes }: { readonly uploadUrl: string; readonly maxBytes: number },
): Promise<string | undefined> {
  const response = await send(access, paths.copy(externalJobId), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ upload_url: uploadUrl, max_bytes: maxBytes }),
    timeout: COPY_TIMEOUT,
  }).catch((error: unknown) => {
    // What a server without this route says of its path.
    if (error instanceof ServerError && ['not_found', 'method_not_allowed'].includes(error.code)) return undefined
    throw error
  })
  const result = CopyResult.safeParse(parseJson((await response?.text()) ?? ''))
  return result.success ? StoredFile.safeParse(parseJson(result.data.body)).data?.storageId : undefined
}

/** What Convex's upload URLs answer. */
const StoredFile = z.object({ storageId: z.string() })

/**
 * The bytes of a picture in the app's storage, for servers that cannot reach its URL.
 *
 * @throws ServerError that is not retryable where there is no picture, or it is too large
 */
export async function fetchImage(url: string): Promise<Blob> {
  const response = await reach(url, { method: 'GET', ...deadline(TRANSFER_TIMEOUT) }, 'the picture', true)
  if (!response.ok) {
    throw new ServerError(`The picture could not be read from storage: HTTP ${response.status}.`, {
      code: 'image_unreachable',
      untaken: true,
      ...(response.status >= 500 ? { kind: 'server_error' } : {}),
    })
  }
  const announced = Number(response.headers.get('content-length') ?? 0)
  if (announced > MAX_IMAGE_BYTES) throw tooLarge(announced)
  const bytes = await response.blob().catch((cause: unknown) => {
    throw unreachable('The picture broke off', cause, true)
  })
  if (bytes.size > MAX_IMAGE_BYTES) throw tooLarge(bytes.size)
  return bytes
}

function tooLarge(size: number): ServerError {
  return new ServerError(`The picture has ${size} bytes; at most ${MAX_IMAGE_BYTES} are allowed.`, {
    code: 'image_too_large',
    untaken: true,
  })
}

interface RequestOptions {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly headers?: Record<string, string>
  readonly body?: string | FormData
  readonly timeout?: number
}

async function request(access: ServerAccess, path: string, options: RequestOptions): Promise<RemoteJob> {
  const response = await send(access, path, options)
  const text = await response.text().catch((cause: unknown) => {
    throw unreachable(`The answer of the server ${access.baseUrl} broke off`, cause)
  })
  const job = RemoteJob.safeParse(parseJson(text))
  if (!job.success) {
    throw new ServerError(`${access.baseUrl} answered something that is not a job: check VIDEO_API_URL.`, {
      code: 'unexpected_answer',
      kind: 'foreign',
    })
  }
  return job.data
}

async function send(access: ServerAccess, path: string, options: RequestOptions): Promise<Response> {
  const { method, headers, body, timeout = REQUEST_TIMEOUT } = options
  const response = await reach(
    access.baseUrl + path,
    {
      method,
      headers: { ...headers, authorization: `Bearer ${access.apiKey}` },
      // Followed, a POST would arrive as a GET, and without its key.
      redirect: 'manual',
      ...(body === undefined ? {} : { body }),
      ...deadline(timeout),
    },
    `the server ${access.baseUrl}`,
  )
  if (!response.ok) throw await toServerError(response)
  return response
}

async function reach(url: string, init: RequestInit, what: string, untaken = false): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (cause) {
    throw unreachable(`Could not reach ${what}`, cause, untaken)
  }
}

function unreachable(what: string, cause: unknown, untaken = false): ServerError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new ServerError(`${what}: ${reason}`, { code: 'unreachable', kind: 'unreachable', untaken, cause })
}

/** Convex's `AbortSignal` is a polyfill without `timeout`; its `fetch` heeds signals since 2026. */
function deadline(milliseconds: number): { signal: AbortSignal } {
  if ('timeout' in AbortSignal) return { signal: AbortSignal.timeout(milliseconds) }
  const controller = new AbortController()
  setTimeout(() => controller.abort(), milliseconds)
  return { signal: controller.signal }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
