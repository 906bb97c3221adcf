/** What went wrong, as it crosses from the child to the parent and on to the job. */

export interface Failure {
  /** One of protocol's JOB_ERROR_CODES, or an engine's own. */
  readonly code: string
  /** For the person who made the job. */
  readonly message: string
  /** Whether another attempt could help. */
  readonly retryable: boolean
}

/** Errors with a code and a word on retries (EngineError, also of another copy of this package) say it themselves; all else is `engine_error`. */
export function describeFailure(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: 'engine_error', message: String(error), retryable: true }
  const message = error.message || error.name
  if ('outOfMemory' in error && error.outOfMemory === true) return { code: 'out_of_memory', message, retryable: true }
  if (
    'code' in error &&
    typeof error.code === 'string' &&
    'retryable' in error &&
    typeof error.retryable === 'boolean'
  ) {
    return { code: error.code, message, retryable: error.retryable }
  }
  return { code: 'engine_error', message, retryable: true }
}
