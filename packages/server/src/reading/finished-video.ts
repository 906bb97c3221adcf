/** A tenant's finished video, for whoever hands it on. */
import { ApiError } from '../api-error.ts'
import type { VideoResult } from '../jobs/video-job.ts'
import type { Reader } from './reader.ts'

/** @throws ApiError `job_not_found`, `job_not_completed` */
export async function finishedVideo(reader: Reader, tenant: string, jobId: string): Promise<VideoResult['video']> {
  const { view } = await reader.known(jobId, tenant)
  if (!view.video) throw new ApiError('job_not_completed', `The job is ${view.job.status}: it has no video.`)
  return view.video
}

/** The record says that there is a video, and the storage has none. */
export function videoGone(): ApiError {
  return new ApiError('video_gone', 'The video has been removed from the storage.')
}
