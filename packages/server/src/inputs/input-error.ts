/** Why a picture of a job is not in the storage. */
import { ApiError } from '../api-error.ts'
import { ImageError } from '../images/index.ts'
import { FetchError } from '../net/index.ts'
import { StorageError } from '../storage/index.ts'

export class InputError extends Error {
  override readonly name = 'InputError'
  /** As in a job's `error_code`. */
  readonly code: string
  /** Whether the same picture may be had later. */
  readonly retryable: boolean
  /** Whether it is our own storage or queue that is away: no fault of the picture's, and no try of it. */
  readonly isOurs: boolean

  constructor(
    code: string,
    message: string,
    { retryable, isOurs = false, cause }: { retryable: boolean; isOurs?: boolean; cause?: unknown },
  ) {
    super(message, cause === undefined ? {} : { cause })
    this.code = code
    this.retryable = retryable
    this.isOurs = isOurs
  }
}

/** The refusal while the storage is away. */
export function storageUnavailable(cause: unknown): ApiError {
  return new ApiError('storage_unavailable', 'The storage cannot be reached at present. Try again.', {
    retryAfter: 5,
    cause,
  })
}

/** Whatever went wrong while a picture was brought in, in a job's words. */
export function toInputError(error: unknown): InputError {
  if (error instanceof InputError) return error
  if (error instanceof ImageError) return new InputError(error.code, error.message, { retryable: false, cause: error })
  if (error instanceof FetchError) {
    return new InputError(FETCH_CODES[error.code] ?? 'image_unreachable', error.message, {
      retryable: error.retryable,
      cause: error,
    })
  }
  const message = error instanceof Error ? error.message : String(error)
  const isOurs = error instanceof ApiError || (error instanceof StorageError && error.retryable)
  return new InputError('internal_error', `The picture could not be brought in: ${message}`, {
    retryable: true,
    isOurs,
    cause: error,
  })
}

const FETCH_CODES: Partial<Record<FetchError['code'], string>> = {
  forbidden_address: 'image_forbidden_address',
  too_large: 'image_too_large',
}
