/** What needs Node's file system (Bun and Deno have it too): pictures by path, and videos into files. */
import { randomUUID } from 'node:crypto'
import { open, readFile, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { MAX_IMAGE_BYTES } from '@kinora/protocol'
import { InputError, isApiError, isKinoraError } from './errors.ts'
import type { DownloadOptions, Kinora } from './kinora.ts'
import { sleep } from './deadline.ts'
import { retryDelay } from './retry.ts'

/**
 * A picture by its path, for `generate({ image })`.
 *
 * @throws InputError when there is no such file, or it is larger than 20 MB
 */
export async function fromPath(path: string | URL): Promise<File> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new InputError('invalid_image', `There is no picture to read at ${String(path)}.`, cause)
  })
  if (!found.isFile()) throw new InputError('invalid_image', `${String(path)} is not a file.`)
  if (found.size > MAX_IMAGE_BYTES) {
    throw new InputError(
      'invalid_image',
      `${String(path)} has ${found.size} bytes; at most ${MAX_IMAGE_BYTES} (20 MB) are accepted.`,
    )
  }
  return new File([new Uint8Array(await readFile(path))], basename(path instanceof URL ? path.pathname : path))
}

export interface DownloadToOptions extends Omit<DownloadOptions, 'headers'> {
  /** Called as bytes arrive. `total` is undefined where the storage does not say. */
  onProgress?: ((progress: { readonly loaded: number; readonly total: number | undefined }) => void) | undefined
  /** How often a broken connection is resumed. Default 5. */
  retries?: number | undefined
}

/**
 * Writes a job's video to a file. The file appears under its name only when it is whole; a broken connection is resumed where it broke.
 *
 * @returns the file's path and its size in bytes
 */
export async function downloadTo(
  kinora: Kinora,
  jobId: string,
  file: string,
  { signal, onProgress, retries = 5 }: DownloadToOptions = {},
): Promise<{ path: string; bytes: number }> {
  // In the same folder, so that the rename cannot cross file systems.
  const partial = join(dirname(file), `.${basename(file)}.${randomUUID()}.part`)
  const target = await open(partial, 'wx')
  try {
    let loaded = 0
    let etag: string | null = null
    for (let failures = 0; ;) {
      const before = loaded
      try {
        const range: HeadersInit = loaded > 0 && etag !== null ? { range: `bytes=${loaded}-`, 'if-range': etag } : {}
        const response = await kinora.download(jobId, { signal, headers: range })
        // Anything but 206 is the whole video from its beginning: the storage cannot resume, or the object changed.
        if (response.status !== 206) loaded = 0
        etag = strong(response.headers.get('etag'))
        const total = totalBytes(response, loaded)
        for await (const chunk of response.body ?? []) {
          await target.write(chunk, 0, chunk.byteLength, loaded)
          loaded += chunk.byteLength
          onProgress?.({ loaded, total })
        }
        if (total !== undefined && loaded !== total)
          throw new Error(`The video ended after ${loaded} of ${total} bytes.`)
        break
      } catch (error) {
        if (signal?.aborted) throw signal.reason
        const final = isKinoraError(error) && !(isApiError(error) && error.status === 416)
        if (final || isDiskError(error)) throw error
        failures = loaded > before ? 1 : failures + 1
        if (failures > retries) throw error
        await sleep(retryDelay(failures), signal)
      }
    }
    await target.truncate(loaded)
    await target.sync()
    await target.close()
    await rename(partial, file)
    return { path: file, bytes: loaded }
  } catch (error) {
    await target.close().catch(() => {})
    await rm(partial, { force: true })
    throw error
  }
}

/** If-Range takes strong tags only. */
function strong(etag: string | null): string | null {
  return etag?.startsWith('W/') ? null : etag
}

function totalBytes({ headers, status }: Response, offset: number): number | undefined {
  // With a content encoding the length is that of the encoded bytes.
  const length = headers.get('content-encoding') === null ? headers.get('content-length') : null
  return length === null ? undefined : Number(length) + (status === 206 ? offset : 0)
}

function isDiskError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error && error.syscall === 'write'
}
