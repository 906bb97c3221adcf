/** What S3 and its kin answer when something is wrong, as a StorageError that says what to do. */
import { StorageError } from '../storage.ts'

const ABSENT = new Set(['NotFound', 'NoSuchKey'])

const ADVICE: Readonly<Record<string, string>> = {
  NoSuchBucket: 'the bucket does not exist: create it, or correct R2_BUCKET',
  AccessDenied: 'access was denied: the key needs read, write and delete on the bucket',
  Forbidden: 'access was denied: check the keys, and that they may read, write and delete in the bucket',
  InvalidAccessKeyId: 'the access key is unknown: check R2_ACCESS_KEY',
  SignatureDoesNotMatch: 'the secret key does not fit the access key: check R2_SECRET_KEY',
  PermanentRedirect: 'the bucket lies in another region: set S3_REGION',
  AuthorizationHeaderMalformed: 'the bucket lies in another region: set S3_REGION',
}

/** A HEAD has no body to name the error in, so its status has to do. */
const BY_STATUS: Readonly<Record<number, string>> = { 301: 'PermanentRedirect', 403: 'Forbidden', 404: 'NotFound' }

export function isAbsent(error: unknown): boolean {
  return ABSENT.has(nameOf(error))
}

/** Whether the object is not the one that a condition names. */
export function isOther(error: unknown): boolean {
  return error instanceof Error && statusOf(error) === 412
}

export function toStorageError(error: unknown, bucket: string): StorageError {
  if (error instanceof StorageError) return error
  if (error instanceof Error && (error.name === 'TimeoutError' || error.name === 'AbortError')) {
    return new StorageError('unavailable', `The bucket "${bucket}" did not answer in time.`, { cause: error })
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : undefined
  const reason = ADVICE[nameOf(error)] ?? code ?? (error instanceof Error ? error.message || error.name : String(error))
  return new StorageError('unavailable', `The bucket "${bucket}" cannot be used: ${reason}.`, { cause: error })
}

function nameOf(error: unknown): string {
  if (!(error instanceof Error)) return 'Error'
  const known = error.name in ADVICE || ABSENT.has(error.name)
  return known ? error.name : (BY_STATUS[statusOf(error) ?? 0] ?? error.name)
}

function statusOf(error: Error): number | undefined {
  const metadata: unknown = '$metadata' in error ? error.$metadata : undefined
  if (typeof metadata !== 'object' || metadata === null || !('httpStatusCode' in metadata)) return undefined
  return typeof metadata.httpStatusCode === 'number' ? metadata.httpStatusCode : undefined
}
