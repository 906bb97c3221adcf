/** How the parts that turn a picture into a video refuse. */

/** An engine's refusal, with the words for the job's `error_message` and whether another attempt could help. */
export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly code: string
  readonly retryable: boolean

  constructor(code: string, message: string, options: { retryable?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? false
  }
}
