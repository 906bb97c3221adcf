/**
 * Everything the SDK throws, apart from the reason of a signal that you aborted yourself, which is thrown as it is.
 *
 * The guards look for a brand, not for the class, so they also work when two copies of the SDK meet in one program.
 */
import type { ErrorCode, Job } from '@kinora/protocol'

const brand = Symbol.for('@kinora/sdk/error')

type Kind = 'api' | 'connection' | 'timeout' | 'job_failed' | 'job_canceled' | 'input' | 'response'

export interface ErrorContext {
  /** The job it is about. It goes on unless it says otherwise: ask again with `kinora.status(jobId)`. */
  jobId?: string | undefined
  /** The id the server gave the request; name it when asking for help. */
  requestId?: string | undefined
  /** The key of a `generate` whose outcome is unknown. Calling again with it makes no second video. */
  idempotencyKey?: string | undefined
  cause?: unknown
}

/** What every error of the SDK is. */
export class KinoraError extends Error {
  override readonly name: string = 'KinoraError'
  /** For programs: a code of the server's (`job_not_found`), or one of the SDK's (`connection_failed`, `timeout`, `invalid_image`, …). */
  readonly code: ErrorCode | (string & {})
  declare readonly jobId?: string
  declare readonly requestId?: string
  declare readonly idempotencyKey?: string
  readonly [brand]: Kind

  constructor(kind: Kind, code: string, message: string, context: ErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause })
    this[brand] = kind
    this.code = code
    if (context.jobId !== undefined) this.jobId = context.jobId
    if (context.requestId !== undefined) this.requestId = context.requestId
    if (context.idempotencyKey !== undefined) this.idempotencyKey = context.idempotencyKey
    // The brand is for guards, not for people who print the error.
    Object.defineProperty(this, brand, { enumerable: false })
  }
}

export interface ApiErrorDetails extends ErrorContext {
  status: number
  issues?: readonly { readonly path: string; readonly message: string }[] | undefined
  /** Milliseconds. */
  retryAfter?: number | undefined
}

/** The server refused a request, or its storage an upload. */
export class ApiError extends KinoraError {
  override readonly name = 'ApiError'
  /** The HTTP status. */
  readonly status: number
  /** Which fields of the request are wrong. */
  readonly issues: readonly { readonly path: string; readonly message: string }[]
  /** Milliseconds the server asked to wait, with 429 and 503. */
  declare readonly retryAfter?: number

  constructor(code: string, message: string, { status, issues = [], retryAfter, ...context }: ApiErrorDetails) {
    super('api', code, message, context)
    this.status = status
    this.issues = issues
    if (retryAfter !== undefined) this.retryAfter = retryAfter
  }
}

/** No answer came: the server is not there, or the network failed, after all retries. */
export class ConnectionError extends KinoraError {
  override readonly name = 'ConnectionError'
  constructor(message: string, context: ErrorContext) {
    super('connection', 'connection_failed', message, context)
  }
}

/** A time limit of yours is over. The job, where there is one, goes on. */
export class TimeoutError extends KinoraError {
  override readonly name = 'TimeoutError'
  /** The job as it was last seen, when `wait` timed out. */
  declare readonly job?: Job
  constructor(message: string, context: ErrorContext & { job?: Job | undefined }) {
    super('timeout', 'timeout', message, context)
    if (context.job !== undefined) this.job = context.job
  }
}

/** The job failed. `code` is its `error_code`. */
export class JobFailedError extends KinoraError {
  override readonly name = 'JobFailedError'
  readonly job: Job
  constructor(job: Job) {
    super(
      'job_failed',
      job.error_code ?? 'engine_error',
      `Job ${job.job_id} failed: ${job.error_message ?? 'no reason was given'}`,
      {
        jobId: job.job_id,
      },
    )
    this.job = job
  }
}

/** The job was canceled. */
export class JobCanceledError extends KinoraError {
  override readonly name = 'JobCanceledError'
  readonly job: Job
  constructor(job: Job) {
    super('job_canceled', 'canceled', `Job ${job.job_id} was canceled.`, { jobId: job.job_id })
    this.job = job
  }
}

/** What you passed cannot work: a picture that is none, a path where only bytes can be, a wrong option. Nothing was sent. */
export class InputError extends KinoraError {
  override readonly name = 'InputError'
  constructor(code: 'invalid_image' | 'invalid_option', message: string, cause?: unknown) {
    super('input', code, message, { cause })
  }
}

/** An answer came, but not from a Kinora server: a proxy's page, another program, a wrong `baseUrl`. */
export class UnexpectedResponseError extends KinoraError {
  override readonly name = 'UnexpectedResponseError'
  readonly status: number
  constructor(message: string, status: number, context: ErrorContext) {
    super('response', 'unexpected_response', message, context)
    this.status = status
  }
}

function isKind(error: unknown, kind?: Kind): boolean {
  if (!(error instanceof Error) || !(brand in error)) return false
  return kind === undefined || error[brand] === kind
}

export const isKinoraError = (error: unknown): error is KinoraError => isKind(error)
export const isApiError = (error: unknown): error is ApiError => isKind(error, 'api')
export const isConnectionError = (error: unknown): error is ConnectionError => isKind(error, 'connection')
export const isTimeoutError = (error: unknown): error is TimeoutError => isKind(error, 'timeout')
export const isJobFailedError = (error: unknown): error is JobFailedError => isKind(error, 'job_failed')
export const isJobCanceledError = (error: unknown): error is JobCanceledError => isKind(error, 'job_canceled')
export const isInputError = (error: unknown): error is InputError => isKind(error, 'input')
export const isUnexpectedResponseError = (error: unknown): error is UnexpectedResponseError => isKind(error, 'response')
