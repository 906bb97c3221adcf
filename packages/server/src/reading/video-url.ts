/** Where a finished video may be had. */
import { ApiError } from '../api-error.ts'
import type { Jobs } from '../core.ts'
import type { Storage } from '../storage/index.ts'
import { notFound, type Reader } from './reader.ts'

export function createVideoUrl({
  storage,
  reader,
}: {
  readonly storage: Storage
  readonly reader: Reader
}): Jobs['videoUrl'] {
  return async (tenant, jobId, { expiresIn }) => {
    const entry = await reader.entry(jobId, tenant)
    const view = await reader.view(entry)
    if (!view) throw notFound()
    if (!view.video) {
      throw new ApiError('job_not_completed', `The job is ${view.job.status}: it has no video.`)
    }
    if ('url' in view.video) return view.video.url
    const { key } = view.video
    if (!(await storage.head(key))) {
      throw new ApiError('video_gone', 'The video has been removed from the storage.')
    }
    return storage.publicUrl?.(key) ?? storage.presignGet(key, { expiresIn })
  }
}
