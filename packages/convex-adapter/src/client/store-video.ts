/** The app's action that copies a finished video into its own storage: a component's storage is not the app's. */
import { internalActionGeneric, type RegisteredAction } from 'convex/server'
import { v } from 'convex/values'
import type { ComponentApi } from '../component/_generated/component.ts'

/** Bytes of a video that fit into an action: Convex gives it 64 MiB of memory, of which the copy takes up to two thirds. */
export const DEFAULT_MAX_VIDEO_BYTES = 20 * 1024 * 1024

export interface StoreVideoOptions {
  /** Bytes of the largest video that is copied. Default 20 MiB; an action has 64 MiB of memory in all. */
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
      const copy = await download(url, maxBytes)
      if (!(copy instanceof Blob)) {
        await ctx.runMutation(component.storing.videoNotStored, { jobId, attempt, ...copy })
        return null
      }
      const storageId = await ctx.storage.store(copy)
      const wanted = await ctx.runMutation(component.storing.videoStored, { jobId, storageId })
      if (!wanted) await ctx.storage.delete(storageId)
      return null
    },
  })
}

async function download(url: string, maxBytes: number): Promise<Blob | { error: string; retryable: boolean }> {
  const tooLarge = (size: string) => ({
    error: `The video has ${size} bytes, and at most ${maxBytes} are copied: an action has 64 MiB of memory. It stays on the Kinora server.`,
    retryable: false,
  })
  try {
    const response = await fetch(url)
    if (!response.ok) {
      return { error: `The video could not be read: HTTP ${response.status}.`, retryable: response.status >= 500 }
    }
    const announced = Number(response.headers.get('content-length') ?? 0)
    if (announced > maxBytes) return tooLarge(String(announced))
    const chunks: Uint8Array<ArrayBuffer>[] = []
    let size = 0
    const reader = response.body?.getReader()
    for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
      size += part.value.byteLength
      if (size > maxBytes) {
        await reader?.cancel()
        return tooLarge(`more than ${maxBytes}`)
      }
      chunks.push(part.value)
    }
    return new Blob(chunks, { type: response.headers.get('content-type') ?? 'video/mp4' })
  } catch (error) {
    return { error: `The video could not be read: ${String(error)}`, retryable: true }
  }
}
