/** The names of objects: which are allowed, and where each thing lies. */
import { StorageError } from './storage.ts'

const SEGMENT = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}$/
const MAX_KEY_LENGTH = 900

/**
 * Refuses a key that a file system or S3 would read differently: no empty segment, none that starts or ends with a dot (so no `..` and no hidden
 * file), only letters, digits, `.`, `_` and `-`, 200 characters a segment and 900 in all.
 * @returns the key
 * @throws StorageError `invalid_key`
 */
export function checkKey(key: string): string {
  const good = key.length <= MAX_KEY_LENGTH && key.split('/').every((part) => SEGMENT.test(part) && !part.endsWith('.'))
  if (!good) {
    throw new StorageError(
      'invalid_key',
      `"${key.slice(0, 100)}" is not a key: it takes segments of letters, digits, ".", "_" and "-", joined by "/".`,
    )
  }
  return key
}

/**
 * Refuses a prefix that is not `''` or whole segments ending in `/`.
 * @throws StorageError `invalid_key`
 */
export function checkPrefix(prefix: string): string {
  if (prefix === '') return prefix
  if (!prefix.endsWith('/')) {
    throw new StorageError('invalid_key', `"${prefix.slice(0, 100)}" is not a prefix: it ends with "/", or is empty.`)
  }
  checkKey(prefix.slice(0, -1))
  return prefix
}
