/** A refusal that a caller may read: what routes turn into the wire's error answer. */
import { ERROR_STATUS, type ErrorCode } from '@kinora/protocol'

export interface ApiErrorOptions extends ErrorOptions {
  /** Which fields of the request are wrong. */
  readonly issues?: readonly { readonly path: string; readonly message: string }[] | undefined
  /** Seconds after which the same request may work. */
  readonly retryAfter?: number | undefined
}

/** Carries the wire's code and its HTTP status. The message is for people and holds no secret. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: ErrorCode
  readonly status: (typeof ERROR_STATUS)[ErrorCode]
  readonly issues: readonly { readonly path: string; readonly message: string }[] | undefined
  /** Seconds, for the header `Retry-After`. */
  readonly retryAfter: number | undefined

  constructor(code: ErrorCode, message: string, options: ApiErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.status = ERROR_STATUS[code]
    this.issues = options.issues
    this.retryAfter = options.retryAfter
  }
}
