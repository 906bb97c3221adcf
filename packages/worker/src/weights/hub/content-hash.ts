/** The hashes by which the hub names content: sha256 of a large (LFS) file, git's blob id of a small one. */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'

export interface ContentHash {
  /** `git`: sha1 over `blob SIZE\0` and the content. */
  readonly algorithm: 'sha256' | 'git'
  /** Hexadecimal. */
  readonly value: string
}

/** A running hash for a file of that size. */
export function startHash(algorithm: ContentHash['algorithm'], size: number): Hash {
  return algorithm === 'sha256' ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)
}

/**
 * Feeds a file to a hash.
 * @param onBytes how many bytes were read
 */
export async function hashFile(
  file: string,
  hash: Hash,
  onBytes: (count: number) => void = () => undefined,
  signal?: AbortSignal,
): Promise<void> {
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    signal?.throwIfAborted()
    hash.update(chunk)
    onBytes(chunk.length)
  }
}

/** Whether a file's content is what its hash says. */
export async function hasHash(
  file: string,
  size: number,
  expected: ContentHash,
  onBytes?: (count: number) => void,
  signal?: AbortSignal,
): Promise<boolean> {
  const hash = startHash(expected.algorithm, size)
  await hashFile(file, hash, onBytes, signal)
  return hash.digest('hex') === expected.value
}
