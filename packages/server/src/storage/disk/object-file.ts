/** Objects as files: written beside the store and moved in whole, read in pieces from one open handle. */
import { randomUUID } from 'node:crypto'
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { StorageError } from '../storage.ts'
import { ignoreMissing } from './file-error.ts'

const CHUNK_BYTES = 256 * 1024

/**
 * Writes a body to a new file in `folder`, flushed to the device.
 * @returns the file's path; the caller moves or removes it
 * @throws StorageError `too_large`, or whatever the body throws; nothing is left behind then
 */
export async function writeDraft(
  folder: string,
  body: Uint8Array | ReadableStream<Uint8Array>,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<{ file: string; size: number }> {
  await mkdir(folder, { recursive: true })
  const file = path.join(folder, randomUUID())
  const handle = await open(file, 'wx', 0o644)
  let size = 0
  try {
    for await (const chunk of body instanceof Uint8Array ? [body] : body) {
      size += chunk.byteLength
      if (size > maxBytes) {
        throw new StorageError('too_large', `The object is larger than the ${maxBytes} bytes that are allowed.`)
      }
      for (let written = 0; written < chunk.byteLength;) {
        written += (await handle.write(chunk, written)).bytesWritten
      }
    }
    await handle.sync()
    return { file, size }
  } catch (error) {
    await rm(file, { force: true })
    throw error
  } finally {
    await handle.close()
  }
}

/** Removes drafts that nobody has written to for a day. */
export async function removeOldDrafts(folder: string, now: Date): Promise<void> {
  const names = await readdir(folder).catch(ignoreMissing)
  for (const name of names ?? []) {
    const file = path.join(folder, name)
    const stats = await stat(file).catch(ignoreMissing)
    if (stats && now.getTime() - stats.mtimeMs > 24 * 3_600_000) await rm(file, { force: true })
  }
}

/** Moves a file to its place in one step, and makes the move last through a power cut. */
export async function moveIntoPlace(from: string, to: string): Promise<void> {
  await retryWithFolder(to, () => rename(from, to))
  await syncFolder(path.dirname(to))
}

/** An object's folder vanishes when its last neighbour is deleted, perhaps just now: make it and try again. */
async function retryWithFolder(file: string, move: () => Promise<void>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    await mkdir(path.dirname(file), { recursive: true })
    try {
      return await move()
    } catch (error) {
      const gone = error instanceof Error && 'code' in error && error.code === 'ENOENT'
      if (!gone || attempt === 3) throw error
    }
  }
}

async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder, and some network file systems cannot flush one: the file itself is safe there too.
  const handle = await open(folder, 'r').catch(() => null)
  await handle?.sync().catch(() => undefined)
  await handle?.close()
}

/** The bytes from `start` to `end` (both included) of an open file, which is closed when they are read, cancelled or failed. */
export function readRange(handle: FileHandle, start: number, end: number): ReadableStream<Uint8Array> {
  let position = start
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const length = Math.min(CHUNK_BYTES, end + 1 - position)
          const { bytesRead, buffer } =
            length > 0 ? await handle.read(new Uint8Array(length), 0, length, position) : { bytesRead: 0, buffer: null }
          if (buffer && bytesRead === 0) throw new Error('The file is shorter than it was when it was opened.')
          position += bytesRead
          if (buffer) controller.enqueue(buffer.subarray(0, bytesRead))
          if (position <= end) return
          await handle.close()
          controller.close()
        } catch (error) {
          await handle.close().catch(() => undefined)
          throw error
        }
      },
      cancel: () => handle.close(),
    },
    { highWaterMark: 0 },
  )
}
