/** Requests to the server and its storage: authorisation, attempts, time limits, and errors that say what happened. */
import { parseRetryAfter, RETRYABLE_STATUSES } from '@kinora/protocol'
import ky, { HTTPError, TimeoutError as KyTimeoutError } from 'ky'
import { readAnswer, readError } from './answer.ts'
import { type Deadline, startDeadline } from './deadline.ts'
import { ConnectionError, type ErrorContext, InputError, isKinoraError, TimeoutError } from './errors.ts'
import type { Settings } from './options.ts'
import { backoff, jittered } from './retry.ts'

export interface HttpRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** A path of the server's, or a complete URL of its storage, which gets neither key nor headers of the server's. */
  readonly to: string
  readonly query?: Record<string, string | number | undefined>
  readonly json?: unknown
  readonly headers?: HeadersInit
  readonly signal?: AbortSignal | undefined
  /** Leave the body unread: a video or a stream of events. */
  readonly stream?: boolean
  readonly retries?: number
  /** Milliseconds on top of the usual limits. */
  readonly extraTime?: number
  /** Sends the request in place of fetch. */
  readonly send?: (request: Request) => Promise<Response>
  /** Statuses that are answers, not errors. */
  readonly accept?: readonly number[]
  /** What errors say beside what happened. */
  readonly context?: ErrorContext
}

export interface Answer {
  readonly response: Response
  /** Attempts made, 1 when the first succeeded. */
  readonly attempts: number
  /** For `stream`: lets go of the caller's signal once the body is read or given up. */
  release(): void
}

export class Http {
  readonly #settings: Settings

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** Whether requests go through the runtime's own fetch. */
  get usesGlobalFetch(): boolean {
    return this.#settings.fetch === undefined
  }

  /** The fetch in use, without authorisation or retries. */
  fetch(url: string, init: RequestInit): Promise<Response> {
    return (this.#settings.fetch ?? globalThis.fetch)(url, init)
  }

  /** The body of a JSON answer. */
  async json<T>(request: HttpRequest, guard: (value: unknown) => value is T): Promise<T> {
    const { response } = await this.send(request)
    return readAnswer(response, guard, describe(request), request.context ?? {})
  }

  /**
   * One request with all its attempts.
   *
   * @throws ApiError, ConnectionError, TimeoutError, or the reason of the caller's signal
   */
  async send(request: HttpRequest): Promise<Answer> {
    const { timeout, totalTimeout } = this.#settings
    const { extraTime = 0, accept = [], signal } = request
    const deadline = startDeadline(signal, totalTimeout + extraTime * 2)
    let attempts = 0
    try {
      signal?.throwIfAborted()
      const response = await ky(this.#url(request), {
        method: request.method,
        ...(request.json === undefined ? {} : { json: request.json }),
        ...(request.headers === undefined ? {} : { headers: request.headers }),
        signal: deadline.signal,
        // ky's time limit ends with the headers; an attempt here includes the body, which #attempt reads.
        timeout: Number.isFinite(timeout) ? timeout + extraTime : false,
        throwHttpErrors: (status) => !accept.includes(status),
        fetch: (input) => {
          attempts++
          return this.#attempt(input instanceof Request ? input : new Request(input), request)
        },
        retry: {
          limit: request.retries ?? this.#settings.retries,
          methods: ['get', 'post', 'put', 'delete'],
          statusCodes: [...RETRYABLE_STATUSES],
          afterStatusCodes: [...RETRYABLE_STATUSES],
          retryOnTimeout: true,
          delay: backoff,
          jitter: (delay) => jittered(delay),
          shouldRetry: ({ error }) => (isPointless(error, deadline) ? false : undefined),
        },
      })
      if (request.stream) deadline.stopClock()
      else deadline.release()
      return { response, attempts, release: () => deadline.release() }
    } catch (error) {
      deadline.release()
      if (signal?.aborted) throw signal.reason
      throw await this.#explain(error, request, attempts, deadline)
    }
  }

  #url({ to, query = {} }: HttpRequest): string {
    const given = Object.entries(query).filter((entry) => entry[1] !== undefined)
    const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
    return (to.startsWith('/') ? this.#settings.baseUrl : '') + to + (search && `?${search}`)
  }

  async #attempt(request: Request, { to, stream, send }: HttpRequest): Promise<Response> {
    if (to.startsWith('/')) await this.#authorise(request.headers)
    const { fetch = globalThis.fetch, credentials } = this.#settings
    const own = to.startsWith('/') && credentials !== undefined
    const response = await (send?.(request) ?? fetch(own ? new Request(request, { credentials }) : request))
    if (stream && response.ok) return response
    // Read here, so that a body that breaks off counts as a failed attempt and is tried again.
    const body = await response.arrayBuffer()
    const { status, statusText, headers } = response
    return new Response(body.byteLength === 0 ? null : body, { status, statusText, headers })
  }

  async #authorise(headers: Headers): Promise<void> {
    const [given, apiKey] = await this.#credentials().catch((error: unknown) => {
      if (isKinoraError(error)) throw error
      throw new InputError('invalid_option', 'The function given as apiKey or headers failed.', error)
    })
    // Type definitions of runtimes disagree about what HeadersInit iterates over; Headers reads all of its forms.
    new Headers(given).forEach((value, name) => headers.set(name, value))
    if (apiKey !== undefined) headers.set('authorization', `Bearer ${apiKey}`)
  }

  async #credentials(): Promise<[HeadersInit | undefined, string | undefined]> {
    return [await this.#settings.headers(), await this.#settings.apiKey()]
  }

  async #explain(error: unknown, request: HttpRequest, attempts: number, deadline: Deadline): Promise<unknown> {
    const { context = {} } = request
    const what = describe(request)
    // ky's errors hold the request with its key, so none of them becomes a cause.
    if (error instanceof HTTPError) return readError(error.response, what, context)
    if (isKinoraError(error)) return error
    const times = attempts === 1 ? '' : ` (${attempts} attempts)`
    if (deadline.timedOut() || error instanceof KyTimeoutError) {
      return new TimeoutError(
        `${what} got no answer in time${times}. Is the server overloaded, or a time limit too short?`,
        context,
      )
    }
    const { origin } = new URL(this.#url(request))
    return new ConnectionError(`${what}: could not reach ${origin}${times}: ${reason(error)}`, {
      ...context,
      cause: error,
    })
  }
}

/** Method and path, never the query: it may hold a signature. */
function describe({ method, to }: HttpRequest): string {
  return `${method} ${to.startsWith('/') ? to : new URL(to).origin + new URL(to).pathname}`
}

function isPointless(error: unknown, deadline: Deadline): boolean {
  if (isKinoraError(error)) return true
  if (!(error instanceof HTTPError)) return false
  const wait = parseRetryAfter(error.response.headers.get('retry-after'))
  return wait !== undefined && wait > deadline.remaining()
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  const code = cause instanceof Error ? ('code' in cause ? String(cause.code) : cause.message) : ''
  return code ? `${error.message} (${code})` : error.message
}
