/** The app's action that copies a finished video into its own storage: a component's storage is not the app's. */
import { isRetryableStatus } from '@kinora/protocol'
import { internalActionGeneric, type RegisteredAction } from 'convex/server'
import { type GenericId, v } from 'convex/values'
import type { ComponentApi } from '../component/_generated/component.ts'

/** Bytes of a video that are held at once: Convex gives an action 64 MiB of memory, of which such a copy takes up to two thirds. */
const MAX_HELD_BYTES = 20 * 1024 * 1024

/** Bytes of the largest video that is copied, unless the app says otherwise. */
export const DEFAULT_MAX_VIDEO_BYTES = 500 * 1024 * 1024

export interface StoreVideoOptions {
  /**
   * Bytes of the largest video that is copied. Default 500 MiB. Up to 20 MiB a video is held in memory; a larger one the server uploads to the app's
   * storage by itself, which Convex gives two minutes. A server too old for that has it piped through, piece by piece.
   */
  readonly maxBytes?: number
}

/**
 * Makes the action. Export it and name it to `Kinora`:
 *
 * ```ts
 * // convex/videos.ts
 * export const storeVideo = storeVideoAction(components.kinora)
 * const kinora: Kinora = new Kinora(components.kinora, { storeVideo: internal.videos.storeVideo })
 * ```
 *
 * A video above the limit is not copied: the job's `storeError` says so, and its `outputVideoUrl` stays the server's.
 */
export function storeVideoAction(
  component: ComponentApi,
  { maxBytes = DEFAULT_MAX_VIDEO_BYTES }: StoreVideoOptions = {},
): RegisteredAction<'internal', { jobId: string; url: string; attempt: number }, Promise<null>> {
  return internalActionGeneric({
    args: { jobId: v.string(), url: v.string(), attempt: v.number() },
    returns: v.null(),
    handler: async (ctx, { jobId, url, attempt }) => {
      let storageId: GenericId<'_storage'>
      try {
        storageId = await copy(ctx.storage, url, maxBytes, (uploadUrl) =>
          ctx.runAction(component.storing.copyByServer, { jobId, uploadUrl, maxBytes }),
        )
      } catch (error) {
        const retryable = !(error instanceof CopyError) || error.retryable
        const message = error instanceof CopyError ? error.message : `The video could not be copied: ${String(error)}`
        await ctx.runMutation(component.storing.videoNotStored, { jobId, attempt, error: message, retryable })
        return null
      }
      const wanted = await ctx.runMutation(component.storing.videoStored, { jobId, storageId })
      if (!wanted) await ctx.storage.delete(storageId)
      return null
    },
  })
}

/** Why a video was not copied, and whether another attempt may. */
class CopyError extends Error {
  override readonly name = 'CopyError'
  readonly retryable: boolean

  constructor(message: string, retryable: boolean) {
    super(message)
    this.retryable = retryable
  }
}

interface Storage {
  store(file: Blob): Promise<GenericId<'_storage'>>
  generateUploadUrl(): Promise<string>
}

/** Has the server upload the video; null where it is too old for that. */
type CopyByServer = (uploadUrl: string) => Promise<{ storageId: string } | { error: string; retryable: boolean } | null>

/** @throws CopyError */
async function copy(
  storage: Storage,
  url: string,
  maxBytes: number,
  copyByServer: CopyByServer,
): Promise<GenericId<'_storage'>> {
  const response = await fetch(url)
  if (!response.ok)
    throw new CopyError(`The video could not be read: HTTP ${response.status}.`, isRetryableStatus(response.status))
  const size = Number(response.headers.get('content-length') ?? Number.NaN)
  if (size > maxBytes) throw tooLarge(String(size), maxBytes)
  const type = response.headers.get('content-type') ?? 'video/mp4'
  const reader = response.body?.getReader()
  // Some servers do not tell a length: then it shows whether the video can be held.
  const head = size > MAX_HELD_BYTES ? { chunks: [], isWhole: false } : await readHead(reader, maxBytes)
  if (head.isWhole || reader === undefined) return storage.store(new Blob(head.chunks, { type }))
  const uploadUrl = await storage.generateUploadUrl()
  const byServer = await copyByServer(uploadUrl)
  if (byServer !== null) {
    await reader.cancel()
    if ('error' in byServer) throw new CopyError(byServer.error, byServer.retryable)
    return byServer.storageId as GenericId<'_storage'>
  }
  return upload(uploadUrl, piped(head.chunks, reader, maxBytes), type, size)
}

type Reader = ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>
type Chunks = Uint8Array<ArrayBuffer>[]

/** The first pieces, up to what can be held, and whether that was all. */
async function readHead(reader: Reader | undefined, maxBytes: number): Promise<{ chunks: Chunks; isWhole: boolean }> {
  const chunks: Chunks = []
  let size = 0
  while (size <= MAX_HELD_BYTES) {
    const part = await reader?.read()
    if (part === undefined || part.done) return { chunks, isWhole: true }
    chunks.push(part.value)
    size += part.value.byteLength
    if (size > maxBytes) {
      await reader?.cancel()
      throw tooLarge(`more than ${maxBytes}`, maxBytes)
    }
  }
  return { chunks, isWhole: false }
}

/** Sends what comes as it comes, so that little of it is held. */
async function upload(url: string, body: ReadableStream, type: string, size: number): Promise<GenericId<'_storage'>> {
  const request: RequestInit & { duplex: 'half' } = {
    method: 'POST',
    // With its length known, a video that breaks off is no file.
    headers: { 'content-type': type, ...(Number.isNaN(size) ? {} : { 'content-length': String(size) }) },
    body,
    // What Node asks of a request whose body is a stream; Convex's runtime does without.
    duplex: 'half',
  }
  const response = await fetch(url, request).catch((error: unknown) => {
    throw error instanceof Error && error.cause instanceof CopyError ? error.cause : error
  })
  if (!response.ok) throw new CopyError(`The app's storage did not take the video: HTTP ${response.status}.`, true)
  const { storageId }: { storageId: GenericId<'_storage'> } = await response.json()
  return storageId
}

/** What was read, then the rest as it comes, ending with an error where there is more than allowed. */
function piped(head: Chunks, reader: Reader, maxBytes: number): ReadableStream<Uint8Array> {
  let size = 0
  return new ReadableStream({
    async pull(controller) {
      const value = head.shift() ?? (await reader.read()).value
      if (value === undefined) {
        controller.close()
        return
      }
      size += value.byteLength
      if (size <= maxBytes) controller.enqueue(value)
      else {
        controller.error(tooLarge(`more than ${maxBytes}`, maxBytes))
        await reader.cancel()
      }
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

function tooLarge(size: string, maxBytes: number): CopyError {
  return new CopyError(
    `The video has ${size} bytes, and at most ${maxBytes} are copied. It stays on the Kinora server.`,
    false,
  )
}
