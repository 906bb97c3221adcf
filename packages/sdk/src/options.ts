/** The options of `new Kinora(…)`. */
import { InputError } from './errors.ts'

type MaybePromise<T> = T | Promise<T>

export interface KinoraOptions {
  /**
   * Where the server is, with the prefix it is mounted under, if any. A path alone (`/video`) is relative to the page in a browser.
   *
   * @example 'https://video.example.com', 'https://app.example.com/kinora'
   */
  baseUrl: string | URL
  /**
   * The API key, or a function that gives it (called for each attempt, so that it may expire). Leave it out where the host authenticates
   * otherwise, by cookies or `headers`. Never ship a key to browsers: let your own server add it, or give out short-lived ones.
   */
  apiKey?: string | (() => MaybePromise<string>) | undefined
  /** Sent with each request to the server, never to its storage. A function is called for each attempt. */
  headers?: HeadersInit | (() => MaybePromise<HeadersInit>) | undefined
  /** As `fetch` understands it: `'include'` sends cookies across origins. Default: fetch's own. */
  credentials?: RequestCredentials | undefined
  /** Default: the global `fetch`, looked up at each request. */
  fetch?: typeof fetch | undefined
  /** Milliseconds one attempt may take, its answer included. Uploads get more, by their size. Default 30 000. */
  timeout?: number | undefined
  /** Milliseconds all attempts at one request may take together, waits between them included. Default 120 000. */
  totalTimeout?: number | undefined
  /**
   * How often a request is tried again after 408, 425, 429, a 5xx that may pass, a network failure or a timed-out attempt. Waits are 0.5, 1, 2, 4 s
   * with jitter, or what Retry-After says. Safe for all requests: `generate` carries an Idempotency-Key. Default 3.
   */
  retries?: number | undefined
}

/** Of a single call. */
export interface CallOptions {
  /** Aborts the call, also while it waits between attempts. It rejects with the signal's reason. */
  signal?: AbortSignal | undefined
}

export interface Settings {
  readonly baseUrl: string
  readonly apiKey: () => MaybePromise<string | undefined>
  readonly headers: () => MaybePromise<HeadersInit | undefined>
  readonly credentials: RequestCredentials | undefined
  /** Undefined: the global one. */
  readonly fetch: typeof fetch | undefined
  readonly timeout: number
  readonly totalTimeout: number
  readonly retries: number
}

/** @throws InputError for an option that cannot work; the message never holds a key */
export function readOptions(options: KinoraOptions): Settings {
  const { apiKey, headers } = options
  if (typeof apiKey === 'string') checkApiKey(apiKey)
  return {
    baseUrl: readBaseUrl(options.baseUrl),
    apiKey: typeof apiKey === 'function' ? async () => checkApiKey(await apiKey()) : () => apiKey,
    headers: typeof headers === 'function' ? headers : () => headers,
    credentials: options.credentials,
    fetch: options.fetch,
    timeout: positive('timeout', options.timeout ?? 30_000),
    totalTimeout: positive('totalTimeout', options.totalTimeout ?? 120_000),
    retries: Math.max(0, Math.floor(options.retries ?? 3)),
  }
}

function readBaseUrl(baseUrl: string | URL): string {
  let url: URL
  try {
    url = new URL(baseUrl, globalThis.location?.href)
  } catch {
    throw new InputError(
      'invalid_option',
      'baseUrl must be the server’s complete URL, such as "https://video.example.com".',
    )
  }
  if (!/^https?:$/.test(url.protocol) || url.username || url.password) {
    throw new InputError('invalid_option', 'baseUrl must be an http or https URL without user name and password.')
  }
  return (url.origin + url.pathname).replace(/\/+$/, '')
}

function checkApiKey(apiKey: string): string {
  // fetch would refuse such a header with a message that holds the key.
  if (typeof apiKey !== 'string' || !/^[\x21-\x7e]+$/.test(apiKey)) {
    throw new InputError(
      'invalid_option',
      'apiKey is empty, or has characters (spaces, line ends) that a header cannot carry.',
    )
  }
  return apiKey
}

function positive(name: string, value: number): number {
  // Timers know no more than 32 bits; Infinity means no limit.
  if (value > 0) return value > 2 ** 31 - 1 ? Infinity : value
  throw new InputError('invalid_option', `${name} must be a number of milliseconds above 0, or Infinity.`)
}
