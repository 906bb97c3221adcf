/** Downloads one file: goes on where it was cut, and ends only with the content that the hub announced. */
import { mkdir, open, rm, stat, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { diskFull } from '../disk-space.ts'
import { hasHash } from './content-hash.ts'
import { HubError } from './hub-error.ts'
import type { HubFile } from './listing.ts'
import type { Hub } from './options.ts'
import { request, retrying } from './request.ts'

export interface Download {
  readonly repository: string
  readonly commit: string
  readonly file: HubFile
  /** Where the bytes are gathered; what is there already is kept and continued. */
  readonly part: string
  /** Bytes gained; negative when some had to be thrown away. */
  readonly onBytes: (count: number) => void
}

/**
 * Leaves the whole, verified file at `part`.
 * @throws HubError; WeightsError `disk_full`
 */
export async function downloadFile(hub: Hub, download: Download): Promise<void> {
  const { file, part } = download
  await mkdir(dirname(part), { recursive: true })
  // Twice, as what was continued may have been damaged long ago: the second time from the beginning.
  for (const lastChance of [false, true]) {
    await gather(hub, download)
    if (file.hash === undefined || (await hasHash(part, file.size, file.hash, undefined, hub.signal))) return
    await rm(part)
    if (lastChance) throw wrongHash(hub, download)
    download.onBytes(-file.size)
  }
}

/** Bytes of an earlier attempt. */
export async function partSize(part: string): Promise<number> {
  return stat(part).then(
    (found) => found.size,
    () => 0,
  )
}

/** Tries until the file has its size. Only an attempt that got further than all before it counts as progress. */
async function gather(hub: Hub, download: Download): Promise<void> {
  let furthest = await partSize(download.part)
  let advanced = false
  await retrying(
    hub,
    async () => {
      const handle = await open(download.part, 'a')
      try {
        await attempt(hub, download, handle)
      } catch (error) {
        throw isDiskFull(error)
          ? diskFull(
              dirname(download.part),
              `it filled up while ${download.file.path} was written; what came is kept`,
              error,
            )
          : error
      } finally {
        await handle.close()
        const reached = await partSize(download.part)
        advanced = reached > furthest
        furthest = Math.max(furthest, reached)
      }
    },
    () => advanced,
  )
}

async function attempt(hub: Hub, download: Download, handle: FileHandle): Promise<void> {
  const { file, onBytes } = download
  let done = await keepable(download, handle)
  if (done === file.size) return
  const stalled = new AbortController()
  const watch = setTimeout(() => stalled.abort(), hub.stallTimeout)
  try {
    const signal = hub.signal ? AbortSignal.any([hub.signal, stalled.signal]) : stalled.signal
    const response = await openAt(hub, download, done, signal)
    if (done > 0 && !continuesAt(response, done)) {
      await handle.truncate(0)
      onBytes(-done)
      done = 0
    }
    if (response.status === 416 || response.body === null) throw cut(download, done, 'the server gave no content')
    for await (const chunk of response.body) {
      watch.refresh()
      done += chunk.length
      if (done > file.size) throw wrongHash(hub, download)
      await handle.write(chunk)
      onBytes(chunk.length)
    }
  } catch (error) {
    hub.signal?.throwIfAborted()
    if (error instanceof HubError || isDiskFull(error)) throw error
    const reason = stalled.signal.aborted
      ? `nothing came for ${Math.round(hub.stallTimeout / 1000)} s`
      : 'the connection ended'
    throw cut(download, done, reason, error)
  } finally {
    clearTimeout(watch)
  }
  if (done < file.size) throw cut(download, done, 'the connection ended')
}

/** How much of the part can be continued: all of it, unless it is longer than the file can be. */
async function keepable({ file, onBytes }: Download, handle: FileHandle): Promise<number> {
  const { size } = await handle.stat()
  if (size <= file.size) return size
  await handle.truncate(0)
  onBytes(-file.size)
  return 0
}

async function openAt(hub: Hub, download: Download, from: number, signal: AbortSignal): Promise<Response> {
  const { repository, commit, file } = download
  const path = file.path.split('/').map(encodeURIComponent).join('/')
  const url = `${hub.endpoint}/${repository}/resolve/${encodeURIComponent(commit)}/${path}`
  // Compressed on the way, a range would count other bytes than the file's.
  const headers = { 'accept-encoding': 'identity', ...(from > 0 && { range: `bytes=${from}-` }) }
  const { response, linked } = await request(hub, url, headers, { repository, path: file.path }, signal)
  const otherSize = linked.size !== undefined && linked.size !== file.size
  const otherHash =
    file.hash?.algorithm === 'sha256' &&
    linked.etag !== undefined &&
    /^[0-9a-f]{64}$/.test(linked.etag) &&
    linked.etag !== file.hash.value
  if (!otherSize && !otherHash) return response
  await response.body?.cancel()
  throw wrongHash(hub, download)
}

function continuesAt(response: Response, from: number): boolean {
  return response.status === 206 && (response.headers.get('content-range') ?? '').startsWith(`bytes ${from}-`)
}

function cut({ repository, file }: Download, done: number, reason: string, cause?: unknown): HubError {
  const message = `${file.path} of ${repository} came only up to byte ${done} of ${file.size}: ${reason}. Pull again: it goes on from there.`
  return new HubError('download_cut', message, { cause, retryable: true })
}

function wrongHash(hub: Hub, { repository, file }: Download): HubError {
  const message = `${file.path} of ${repository} is not what ${hub.endpoint} announced (another size or hash). Pull again later, check HF_ENDPOINT, or a proxy that changes downloads.`
  return new HubError('hash_mismatch', message)
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOSPC'
}
