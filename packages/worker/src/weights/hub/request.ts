/** Requests to the hub: the token stays with the hub, answers become errors with a remedy, retryable failures are tried again. */
import { isRetryableStatus, parseRetryAfter } from '@kinora/protocol'
import { HubError } from './hub-error.ts'
import type { Hub } from './options.ts'

/** What a request is about, for the words of its errors. */
export interface Subject {
  /** `owner/name`. */
  readonly repository: string
  /** A file in it. */
  readonly path?: string
}

export interface HubResponse {
  readonly response: Response
  /** What the hub, before redirecting to where the bytes are, says about a large file. */
  readonly linked: { readonly etag: string | undefined; readonly size: number | undefined }
}

const MAX_REDIRECTS = 6
/** A longer Retry-After is told to the user instead of waited for. */
const LONGEST_PAUSE = 5 * 60_000
const LONGEST_BACKOFF = 30_000

/**
 * One GET with its redirects. The token goes to the endpoint's origin only.
 * @throws HubError, retryable where another attempt may help
 */
export async function request(
  hub: Hub,
  url: string,
  headers: Record<string, string>,
  subject: Subject,
  signal?: AbortSignal,
): Promise<HubResponse> {
  const home = new URL(hub.endpoint).origin
  let etag: string | undefined
  let size: number | undefined
  let target = new URL(url)
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const authorization =
      hub.token !== undefined && target.origin === home ? { authorization: `Bearer ${hub.token}` } : {}
    const response = await connect(hub, target, { ...headers, ...authorization }, signal)
    etag ??= unquote(response.headers.get('x-linked-etag'))
    size ??= wholeNumber(response.headers.get('x-linked-size'))
    const location = response.headers.get('location')
    if (response.status < 300 || response.status >= 400 || location === null) {
      if (!response.ok && response.status !== 416) throw await refusal(hub, response, subject)
      return { response, linked: { etag, size } }
    }
    await response.body?.cancel()
    target = new URL(location, target)
  }
  throw new HubError(
    'hub_unavailable',
    `${hub.endpoint} redirects ${describe(subject)} in a circle. Check HF_ENDPOINT.`,
  )
}

/**
 * Runs `attempt` until it succeeds or fails for good. Pauses grow from a second to half a minute, or are what the hub asks for.
 * @param advanced whether the last attempt brought something; then the counting begins anew
 */
export async function retrying<T>(
  hub: Hub,
  attempt: () => Promise<T>,
  advanced: () => boolean = () => false,
): Promise<T> {
  for (let failures = 0; ;) {
    try {
      return await attempt()
    } catch (error) {
      hub.signal?.throwIfAborted()
      if (!(error instanceof HubError) || !error.retryable) throw error
      failures = advanced() ? 1 : failures + 1
      const pause =
        error.retryAfter ?? Math.min(LONGEST_BACKOFF, 1000 * 2 ** (failures - 1)) * (0.75 + Math.random() / 2)
      if (failures > hub.retries || pause > LONGEST_PAUSE) throw error
      hub.onRetry(error.message, pause)
      await hub.wait(pause, hub.signal)
    }
  }
}

async function connect(
  hub: Hub,
  url: URL,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<Response> {
  try {
    return await hub.fetch(url, { headers, redirect: 'manual', signal: signal ?? hub.signal ?? null })
  } catch (cause) {
    hub.signal?.throwIfAborted()
    if (cause instanceof HubError) throw cause
    throw new HubError(
      'offline',
      `${url.host} cannot be reached (${reasonOf(cause)}). Check the connection, HF_ENDPOINT and, where the way out is a proxy, HTTPS_PROXY; without a connection, copy the model's folder from another machine and name it in MODEL_PATH.`,
      { cause, retryable: true },
    )
  }
}

async function refusal(hub: Hub, response: Response, subject: Subject): Promise<HubError> {
  const { status } = response
  const what = describe(subject)
  const page = `${hub.endpoint}/${subject.repository}`
  const reason = response.headers.get('x-error-code') ?? ''
  const words = (response.headers.get('x-error-message') ?? (await response.text().catch(() => ''))).slice(0, 300)
  if (status === 429) {
    const retryAfter = parseRetryAfter(response.headers.get('retry-after'))
    const pause = retryAfter === undefined ? 'a while' : `${Math.ceil(retryAfter / 1000)} s`
    const remedy = hub.token === undefined ? ' A token in HF_TOKEN allows more requests.' : ''
    return new HubError('rate_limited', `The hub has had too many requests (429). Try again in ${pause}.${remedy}`, {
      retryable: true,
      retryAfter,
    })
  }
  if (isRetryableStatus(status)) {
    return new HubError('hub_unavailable', `The hub cannot answer now (${status}) for ${what}. Try again later.`, {
      retryable: true,
      retryAfter: parseRetryAfter(response.headers.get('retry-after')),
    })
  }
  if (reason === 'GatedRepo' || (status === 403 && /gated|restricted|authorized list|accept/i.test(words))) {
    const token =
      hub.token === undefined
        ? ' Then create a token and set HF_TOKEN.'
        : ' Log in there as the owner of the token in HF_TOKEN.'
    return new HubError(
      'gated',
      `${subject.repository} is open only to those who accept its terms: do so at ${page}.${token}`,
    )
  }
  if (status === 401 || status === 403) {
    const message =
      hub.token === undefined
        ? `${what} does not exist or is private. Check the name at ${page}; for a private or gated model set HF_TOKEN.`
        : `The hub refuses the token in HF_TOKEN for ${what} (${status}). Make a new token with read access, or check the name at ${page}.`
    return new HubError('unauthorized', message)
  }
  if (status === 404) {
    if (subject.path !== undefined && reason !== 'RepoNotFound')
      return new HubError('file_not_found', `${what} does not exist. See ${page}/tree/main for what does.`)
    if (reason === 'RevisionNotFound')
      return new HubError('model_not_found', `${subject.repository} has no such revision. See ${page}.`)
    return new HubError('model_not_found', `The hub has no model ${subject.repository}. Check the name at ${page}.`)
  }
  return new HubError('hub_unavailable', `The hub answered ${status} for ${what}. Check HF_ENDPOINT (${hub.endpoint}).`)
}

function describe({ repository, path }: Subject): string {
  return path === undefined ? repository : `${path} of ${repository}`
}

/** The innermost reason of a failed connection: undici wraps what the system said. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.cause instanceof Error) return reasonOf(error.cause)
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}

function unquote(etag: string | null): string | undefined {
  return etag === null ? undefined : etag.replace(/^W\//, '').replaceAll('"', '')
}

function wholeNumber(text: string | null): number | undefined {
  return text !== null && /^\d+$/.test(text) ? Number(text) : undefined
}
