/** Why a guarded fetch did not bring an answer. */
export type FetchErrorCode =
  | 'invalid_url'
  | 'forbidden_address'
  | 'unknown_host'
  | 'unreachable'
  | 'timeout'
  | 'too_large'
  | 'too_many_redirects'

const RETRYABLE: ReadonlySet<FetchErrorCode> = new Set(['unreachable', 'timeout'])

/** The message is for the user whose URL it is: it names the host and the reason, never a query, a password, or an address inside our network. */
export class FetchError extends Error {
  override readonly name = 'FetchError'
  readonly code: FetchErrorCode
  /** Whether the same URL may work later. */
  readonly retryable: boolean

  constructor(code: FetchErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.retryable = RETRYABLE.has(code)
  }
}
