/**
 * The one way by which the server fetches a user's URL (pictures, webhooks): http and https only, to checked addresses only, each redirect anew,
 * with limits on time and size.
 */
import { Readable } from 'node:stream'
import { Agent, type Dispatcher, errors, request } from 'undici'
import { type AllowedNetwork, createAddressCheck } from './address.ts'
import { joinSignals } from '../join-signals.ts'
import { FetchError } from './fetch-error.ts'
import { createGuardedLookup, forbidden, type Resolve, resolveWithSystem } from './guarded-lookup.ts'

export interface GuardedFetchOptions {
  /** Networks beside the public internet. Default: none. */
  readonly allowNetworks?: readonly AllowedNetwork[]
  /** Milliseconds to connect, name lookup included. Default 10 s. */
  readonly connectTimeout?: number
  /** Milliseconds for the whole of one fetch, redirects and body included. Default 30 s. */
  readonly timeout?: number
  /** Bytes of an answer's body. Default 1 MiB. */
  readonly maxBytes?: number
  /** Redirects that are followed. 0 returns the 3xx answer itself. Default 5. */
  readonly maxRedirects?: number
  /** Sent as `User-Agent`. Default `Kinora`. */
  readonly userAgent?: string
  /** Default: the system's resolver. */
  readonly resolve?: Resolve
}

export interface GuardedRequest {
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT'
  readonly headers?: Readonly<Record<string, string>>
  /** A stream can be sent once, so a redirect is answered as it is. */
  readonly body?: string | Uint8Array | ReadableStream<Uint8Array>
  readonly signal?: AbortSignal
  /** These override the options, for this fetch. */
  readonly timeout?: number
  readonly maxBytes?: number
  readonly maxRedirects?: number
  /** The status says it all: the answer's body is left aside, however long it is and whether it ends. Default false. */
  readonly ignoreBody?: boolean
}

/** An answer, whatever its status. A body is that of a success, and complete; what others say beside their status is left aside. */
export interface GuardedResponse {
  readonly status: number
  readonly ok: boolean
  readonly headers: Headers
  /** Where the answer came from, after redirects. */
  readonly url: string
  readonly body: Uint8Array
}

export interface GuardedFetch {
  /** @throws FetchError, or the signal's reason when aborted */
  (url: string, request?: GuardedRequest): Promise<GuardedResponse>
  /** Ends idle connections, and those in use. */
  close(): Promise<void>
}

/** Bytes of an answer's body, unless the options say otherwise. */
const MAX_BYTES = 1024 * 1024

/** What of a body that is left aside is still taken in, so that the connection can be used again: bytes, and milliseconds. */
const LEFTOVER_BYTES = 64 * 1024
const LEFTOVER_TIME = 1000

const REDIRECTS = new Set([301, 302, 303, 307, 308])

export function createGuardedFetch(options: GuardedFetchOptions = {}): GuardedFetch {
  const isAllowed = createAddressCheck(options.allowNetworks)
  const connectTimeout = options.connectTimeout ?? 10_000
  const agent = new Agent({
    connect: {
      lookup: createGuardedLookup(isAllowed, options.resolve ?? resolveWithSystem),
      timeout: connectTimeout,
    },
    connections: 64,
    pipelining: 1,
    keepAliveTimeout: 4000,
    maxHeaderSize: 32 * 1024,
  })

  async function guardedFetch(address: string, init: GuardedRequest = {}): Promise<GuardedResponse> {
    const timeout = init.timeout ?? options.timeout ?? 30_000
    const maxRedirects = init.maxRedirects ?? options.maxRedirects ?? 5
    const deadline = AbortSignal.timeout(timeout)
    const { signal, release } = joinSignals(init.signal ? [init.signal, deadline] : [deadline])
    try {
      const limit = () => (deadline.aborted ? timeout : connectTimeout)
      return await follow(address, init, { signal, maxRedirects, limit })
    } catch (error) {
      init.signal?.throwIfAborted()
      throw error
    } finally {
      release()
    }
  }

  async function follow(
    address: string,
    init: GuardedRequest,
    { signal, maxRedirects, limit }: { signal: AbortSignal; maxRedirects: number; limit: () => number },
  ): Promise<GuardedResponse> {
    let url = parseUrl(address)
    let { method = 'GET', headers = {}, body } = init
    for (let redirects = 0; ; redirects++) {
      checkLiteral(url, isAllowed)
      const here = url
      const asked = { method, headers, body, signal }
      const read = init.ignoreBody ? 'nothing' : (init.maxBytes ?? options.maxBytes ?? MAX_BYTES)
      const response = await once(here, asked, read).catch((error: unknown) => {
        throw toFetchError(error, here, limit())
      })
      const location = response.headers.get('location')
      if (maxRedirects === 0 || body instanceof ReadableStream || !location || !REDIRECTS.has(response.status))
        return response
      if (redirects === maxRedirects) {
        throw new FetchError('too_many_redirects', `${url.host} redirected more than ${maxRedirects} times.`)
      }
      const next = parseUrl(location, url)
      if (next.origin !== url.origin) headers = withoutCredentials(headers)
      if (response.status !== 307 && response.status !== 308 && method === 'POST') {
        method = 'GET'
        body = undefined
      }
      url = next
    }
  }

  async function once(
    url: URL,
    init: {
      method: 'GET' | 'HEAD' | 'POST' | 'PUT'
      headers: Readonly<Record<string, string>>
      body: string | Uint8Array | ReadableStream<Uint8Array> | undefined
      signal: AbortSignal
    },
    read: number | 'nothing',
  ): Promise<GuardedResponse> {
    const response = await request(url, {
      dispatcher: agent,
      method: init.method,
      // No compression: what is counted is what is kept, and no small body unpacks into a large one.
      headers: { 'user-agent': options.userAgent ?? 'Kinora', 'accept-encoding': 'identity', ...init.headers },
      body: init.body instanceof ReadableStream ? Readable.from(init.body) : (init.body ?? null),
      signal: init.signal,
    })
    const headers = new Headers()
    for (const [name, value] of Object.entries(response.headers)) {
      for (const one of [value ?? []].flat()) headers.append(name, one)
    }
    const { statusCode: status } = response
    const ok = status >= 200 && status < 300
    return {
      status,
      ok,
      headers,
      url: url.href,
      body: ok && read !== 'nothing' ? await readBody(response, url, read) : leaveAside(response),
    }
  }

  return Object.assign(guardedFetch, { close: () => agent.destroy() })
}

/** Nobody waits for the rest, and nothing that happens to it is an error. */
function leaveAside({ body }: Pick<Dispatcher.ResponseData, 'body'>): Uint8Array {
  body.on('error', () => undefined)
  void body.dump({ limit: LEFTOVER_BYTES, signal: AbortSignal.timeout(LEFTOVER_TIME) }).catch(() => undefined)
  return new Uint8Array()
}

async function readBody(
  response: Pick<Dispatcher.ResponseData, 'body' | 'headers'>,
  url: URL,
  maxBytes: number,
): Promise<Uint8Array> {
  const tooLarge = (): FetchError =>
    new FetchError('too_large', `The answer of ${url.host} is larger than ${Math.floor(maxBytes / 1024)} kB.`)
  if (Number(response.headers['content-length']) > maxBytes) {
    response.body.on('error', () => undefined).destroy()
    throw tooLarge()
  }
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body) {
    size += chunk.byteLength
    if (size > maxBytes) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks, size)
}

/**
 * Parses by the WHATWG rules, which also turn every odd spelling of an IPv4 address (`0x7f.1`, `2130706433`, `017700000001`) into the usual one.
 * @throws FetchError `invalid_url`
 */
function parseUrl(text: string, base?: URL): URL {
  if (!URL.canParse(text, base?.href)) throw new FetchError('invalid_url', 'The URL is not valid.')
  const url = new URL(text, base?.href)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new FetchError('invalid_url', `The URL begins with ${url.protocol}, but only http: and https: are fetched.`)
  }
  if (url.username || url.password) {
    throw new FetchError(
      'invalid_url',
      `The URL of ${url.host} holds a user name or password; use a signed URL instead.`,
    )
  }
  url.hash = ''
  return url
}

/** `net.connect` looks up names only, so an address that stands in the URL itself is checked here. */
function checkLiteral(url: URL, isAllowed: (address: string) => boolean): void {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const literal = host.includes(':') || /^[\d.]+$/.test(host)
  if (literal && !isAllowed(host)) throw forbidden(url.hostname)
}

function withoutCredentials(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(
      ([name]) => !['authorization', 'cookie', 'x-webhook-secret'].includes(name.toLowerCase()),
    ),
  )
}

function toFetchError(error: unknown, url: URL, timeout: number): FetchError {
  if (error instanceof FetchError) return error
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
  const timedOut =
    error instanceof errors.ConnectTimeoutError ||
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError ||
    (error instanceof Error && error.name === 'TimeoutError')
  if (timedOut) {
    return new FetchError('timeout', `${url.host} did not answer within ${timeout / 1000} s.`, { cause: error })
  }
  if (code === 'ENOTFOUND') {
    return new FetchError('unknown_host', `The host ${url.hostname} does not exist.`, { cause: error })
  }
  const reason = code ?? (error instanceof Error ? error.message : String(error))
  return new FetchError('unreachable', `${url.host} could not be reached (${reason}).`, { cause: error })
}
