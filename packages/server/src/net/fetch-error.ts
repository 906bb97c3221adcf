/** Why a guarded fetch did not bring an answer. */
export type FetchErrorCode =
  | 'invalid_url'
  | 'forbidden_address'
  | 'unknown_host'
  | 'unreachable'
  | 'timeout'
  | 'too_large'
  | 'too_many_redirects'

const PERMANENT: ReadonlySet<FetchErrorCode> = new Set([
  'invalid_url',
  'forbidden_address',
  'unknown_host',
  'too_large',
  'too_many_redirects',
])

/** The message is for the user whose URL it is: it names the host and the reason, never a query, a password, or an address inside our network. */
export class FetchError extends Error {
  override readonly name = 'FetchError'
  readonly code: FetchErrorCode
  /** True when the same URL will fail again; false when it may work later. */
  readonly permanent: boolean

  constructor(code: FetchErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.permanent = PERMANENT.has(code)
  }
}

/** Whether an answer that is not 2xx may be another one later: time-outs, throttling and the server's own trouble. */
export function isPassingStatus(status: number): boolean {
  return status === 408 || status === 425 || status === 429 || status >= 500
}
