/** The Kinora server's API, as far as the component needs it: one request each, never retried here (the scheduler does that). */
import { ErrorBody, HEADERS, Job, type JobStatus, MAX_IMAGE_BYTES, paths } from '@kinora/protocol'
import * as z from 'zod/mini'
import type { ServerAccess } from './environment.ts'
import type { Settings } from './job.ts'
import { REQUEST_TIMEOUT, TRANSFER_TIMEOUT } from './pauses.ts'

/** A failed request, and whether the same one may succeed later. */
export class ServerError extends Error {
  override readonly name = 'ServerError'
  readonly retryable: boolean
  readonly code: string
  /** Milliseconds that the server asked to wait; 0 where it did not. */
  readonly retryAfter: number

  constructor(message: string, details: { retryable: boolean; code: string; retryAfter?: number; cause?: unknown }) {
    super(message, { cause: details.cause })
    this.retryable = details.retryable
    this.code = details.code
    this.retryAfter = details.retryAfter ?? 0
  }
}

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
})
export type RemoteJob = z.output<typeof RemoteJob>
export type RemoteStatus = JobStatus

export interface Submission {
  readonly image: { readonly url: string } | { readonly bytes: Blob }
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
  if ('url' in image) {
    return request(access, paths.generate(), {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: JSON.stringify({ ...fields, image_url: image.url }),
    })
  }
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.append(name, String(value))
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
 * The picture's bytes, for servers that cannot reach its URL.
 *
 * @throws ServerError that is not retryable where there is no picture, or it is too large
 */
export async function fetchImage(url: string): Promise<Blob> {
  const response = await reach(url, { method: 'GET', ...deadline(TRANSFER_TIMEOUT) }, 'the picture')
  if (!response.ok) {
    throw new ServerError(`The picture could not be read from storage: HTTP ${response.status}.`, {
      retryable: response.status >= 500,
      code: 'image_unreachable',
    })
  }
  const announced = Number(response.headers.get('content-length') ?? 0)
  if (announced > MAX_IMAGE_BYTES) throw tooLarge(announced)
  const bytes = await response.blob().catch((cause: unknown) => {
    throw new ServerError(`The picture broke off: ${String(cause)}`, { retryable: true, code: 'unreachable', cause })
  })
  if (bytes.size > MAX_IMAGE_BYTES) throw tooLarge(bytes.size)
  return bytes
}

function tooLarge(size: number): ServerError {
  return new ServerError(`The picture has ${size} bytes; at most ${MAX_IMAGE_BYTES} are allowed.`, {
    retryable: false,
    code: 'image_too_large',
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
  const job = RemoteJob.safeParse(await response.json().catch(() => undefined))
  if (!job.success) {
    throw new ServerError(`${access.baseUrl} answered something that is not a job: check VIDEO_API_URL.`, {
      retryable: true,
      code: 'unexpected_answer',
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
      ...(body === undefined ? {} : { body }),
      ...deadline(timeout),
    },
    `the server ${access.baseUrl}`,
  )
  if (!response.ok) throw await refusal(response)
  return response
}

async function reach(url: string, init: RequestInit, what: string): Promise<Response> {
  try {
    return await fetch(url, init)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new ServerError(`Could not reach ${what}: ${reason}`, { retryable: true, code: 'unreachable', cause })
  }
}

/** Convex's own fetch has its own time limit, knows no signals, and older versions of it no `AbortSignal.timeout`. */
function deadline(milliseconds: number): { signal?: AbortSignal } {
  return typeof AbortSignal !== 'undefined' && 'timeout' in AbortSignal
    ? { signal: AbortSignal.timeout(milliseconds) }
    : {}
}

async function refusal(response: Response): Promise<ServerError> {
  const body = ErrorBody.safeParse(await response.json().catch(() => undefined))
  const issues = body.data?.issues?.map(({ path, message }) => (path ? `${path}: ${message}` : message)).join('; ')
  const message = issues || body.data?.error || `HTTP ${response.status}`
  const { status } = response
  const code = body.data?.code ?? `http_${status}`
  const hint =
    status === 401
      ? ': check VIDEO_API_KEY.'
      : code === 'http_404' || code === 'not_found'
        ? ': check VIDEO_API_URL.'
        : ''
  return new ServerError(message + hint, {
    retryable: status === 408 || status === 425 || status === 429 || status >= 500,
    code,
    retryAfter: retryAfterOf(response),
  })
}

/** Retry-After in milliseconds: seconds or a date. */
function retryAfterOf(response: Response): number {
  const value = response.headers.get('retry-after')
  if (!value) return 0
  const seconds = Number(value)
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000)
  const date = Date.parse(value)
  return Number.isNaN(date) ? 0 : Math.max(0, date - Date.now())
}

function defined<T extends Record<string, unknown>>(fields: T): Partial<T> {
  const kept: Partial<T> = { ...fields }
  for (const name of Object.keys(fields) as (keyof T)[]) if (fields[name] === undefined) delete kept[name]
  return kept
}
