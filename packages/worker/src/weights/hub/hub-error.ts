/** What can go wrong between here and the model hub. */
export type HubErrorCode =
  /** Not `owner/name` or `owner/name:file`. */
  | 'bad_id'
  /** The hub knows no such model, or hides it from this token. */
  | 'model_not_found'
  /** The model has no such file. */
  | 'file_not_found'
  /** The token is wrong, or one is needed. */
  | 'unauthorized'
  /** The model's owner wants its terms accepted on the hub's page. */
  | 'gated'
  /** The licence wants to be accepted here. */
  | 'license_not_accepted'
  /** Too many requests, and the hub wants a longer pause than is worth waiting. */
  | 'rate_limited'
  /** The hub answers with server errors, or not as a hub does. */
  | 'hub_unavailable'
  /** HTTP_PROXY or HTTPS_PROXY is no address. */
  | 'bad_proxy'
  /** No connection. */
  | 'offline'
  /** The connection ended in the middle of a file, again and again. */
  | 'download_cut'
  /** What arrived is not what the hub announced. */
  | 'hash_mismatch'
  /** Files in a layout, or of a pipeline, that no engine here understands. */
  | 'unsupported_model'
  /** It is not on this machine, and pulling was not allowed. */
  | 'not_pulled'

export interface HubErrorOptions {
  readonly cause?: unknown
  /** Another attempt may help. */
  readonly retryable?: boolean
  /** Milliseconds that the hub wants to be left alone. */
  readonly retryAfter?: number | undefined
}

/** A download that did not work. The message names the model and the remedy, and never a token or a signed URL. */
export class HubError extends Error {
  override readonly name = 'HubError'
  readonly code: HubErrorCode
  readonly retryable: boolean
  readonly retryAfter: number | undefined

  constructor(code: HubErrorCode, message: string, options: HubErrorOptions = {}) {
    super(message, options.cause === undefined ? {} : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
    this.retryAfter = options.retryAfter
  }
}
