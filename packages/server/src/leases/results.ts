/** A lease's results in the storage: moved to where the job's results lie, or dropped. */
import type { Logger } from 'pino'
import { type Storage, StorageError } from '../storage/index.ts'
import { leaseKeys, outputKeys } from '../jobs/keys.ts'
import type { VideoResult } from '../jobs/video-job.ts'

/** Why what the worker left is no video. */
export class ResultError extends Error {
  override readonly name = 'ResultError'
}

/**
 * Moves them to the job's keys. Only whoever holds the job's lock may call it. Repeating it is safe: results that are already in their place stay there.
 * @throws ResultError when there is no video; StorageError
 */
export async function promoteResults(storage: Storage, jobId: string, leaseId: string): Promise<VideoResult> {
  const from = leaseKeys(leaseId)
  const to = outputKeys(jobId)
  await checkVideo(storage, from.video)
  if (!(await move(storage, from.video, to.video))) {
    throw new ResultError('The worker reported the video as done, but put none into the storage.')
  }
  const hasPoster = await move(storage, from.poster, to.poster)
  return { lease_id: leaseId, video: { key: to.video }, ...(hasPoster ? { poster_key: to.poster } : {}) }
}

/** @returns whether it lies in its place now: another report of the same lease may be moving it, or have moved it */
async function move(storage: Storage, from: string, to: string): Promise<boolean> {
  try {
    await storage.promote(from, to)
    return true
  } catch (error) {
    if (error instanceof StorageError && error.code === 'not_found') return (await storage.head(to)) !== null
    throw error
  }
}

/** Results that nobody will want. What cannot be removed now is left to the sweeper. */
export function dropResults(storage: Storage, leaseId: string, logger: Logger): void {
  for (const key of Object.values(leaseKeys(leaseId))) {
    storage.delete(key).catch((error: unknown) => logger.debug({ key, error }, 'a leftover stays for the sweeper'))
  }
}

/** A job's video and poster, where it has ended without them or is gone. */
export async function dropOutputs(storage: Storage, jobId: string): Promise<void> {
  await Promise.all(Object.values(outputKeys(jobId)).map((key) => storage.delete(key)))
}

/** An mp4 begins with a box of type `ftyp`. What is not there is no matter of this one's. */
async function checkVideo(storage: Storage, key: string): Promise<void> {
  const object = await storage.get(key)
  if (!object) return
  const start = await firstBytes(object.body, 8)
  if (start.subarray(4, 8).toString('latin1') !== 'ftyp') {
    throw new ResultError('What the worker put into the storage is no mp4 video.')
  }
}

async function firstBytes(body: ReadableStream<Uint8Array>, count: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  let size = 0
  // Leaving the loop cancels the rest.
  for await (const chunk of body) {
    chunks.push(chunk)
    size += chunk.byteLength
    if (size >= count) break
  }
  return Buffer.concat(chunks).subarray(0, count)
}
