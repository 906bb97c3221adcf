/** Sends a finished video to a storage of its tenant's: straight from ours, through the one guarded fetch. */
import { ApiError } from '../api-error.ts'
import type { Jobs } from '../core.ts'
import { FetchError, type GuardedFetch, type GuardedResponse } from '../net/index.ts'
import type { Storage } from '../storage/index.ts'
import { finishedVideo, videoGone } from './finished-video.ts'
import type { Reader } from './reader.ts'

/** Milliseconds for the whole of a copy: what Convex gives a request to its upload URLs. */
const COPY_WITHIN = 120_000

/** Bytes of the other storage's answer. */
const MAX_ANSWER_BYTES = 64 * 1024

export interface CopyVideoOptions {
  readonly storage: Storage
  readonly reader: Reader
  readonly fetch: GuardedFetch
}

export function createCopyVideo({ storage, reader, fetch }: CopyVideoOptions): Jobs['copyVideo'] {
  return async (tenant, jobId, { upload_url, method, max_bytes, signal }) => {
    const place = await finishedVideo(reader, tenant, jobId)
    if ('url' in place) {
      throw new ApiError('copy_failed', 'The video lies on another server: copy it from its result_url.')
    }
    const video = await storage.get(place.key)
    if (!video) throw videoGone()
    const { size, contentType, body } = video
    if (max_bytes !== undefined && size > max_bytes) {
      await body.cancel()
      throw new ApiError('payload_too_large', `The video has ${size} bytes, and at most ${max_bytes} are wanted.`)
    }
    const answer = await send(upload_url, {
      method,
      // With its length told, a video that breaks off is no file there.
      headers: { 'content-type': contentType, 'content-length': String(size) },
      body,
    })
    if (!answer.ok) {
      throw new ApiError('copy_failed', `${new URL(answer.url).host} did not take the video: HTTP ${answer.status}.`)
    }
    return { status: answer.status, body: new TextDecoder().decode(answer.body), size }

    async function send(url: string, request: Parameters<GuardedFetch>[1]): Promise<GuardedResponse> {
      try {
        const bounds = { timeout: COPY_WITHIN, maxBytes: MAX_ANSWER_BYTES }
        return await fetch(url, { ...request, ...bounds, ...(signal === undefined ? {} : { signal }) })
      } catch (cause) {
        await body.cancel().catch(() => undefined)
        if (!(cause instanceof FetchError)) throw cause
        const isRefused = cause.code === 'invalid_url' || cause.code === 'forbidden_address'
        throw new ApiError(
          isRefused ? 'invalid_request' : 'copy_failed',
          `The video was not copied: ${cause.message}`,
          {
            cause,
            ...(isRefused ? { issues: [{ path: 'upload_url', message: cause.message }] } : {}),
          },
        )
      }
    }
  }
}
