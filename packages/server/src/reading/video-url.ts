/** Where a finished video may be had. */
import type { Jobs } from '../core.ts'
import type { Storage } from '../storage/index.ts'
import { finishedVideo, videoGone } from './finished-video.ts'
import type { Reader } from './reader.ts'

export function createVideoUrl({
  storage,
  reader,
}: {
  readonly storage: Storage
  readonly reader: Reader
}): Jobs['videoUrl'] {
  return async (tenant, jobId, { expiresIn }) => {
    const video = await finishedVideo(reader, tenant, jobId)
    if ('url' in video) return video.url
    const { key } = video
    if (!(await storage.head(key))) throw videoGone()
    return storage.publicUrl?.(key) ?? storage.presignGet(key, { expiresIn })
  }
}
