/**
 * Report: an outside worker of the original contract, which has no lease, says how a job ended (`POST /webhook/complete`).
 *
 * From `queued` and `processing`, by whoever knows the secret. Atomic: as every ending; a second report changes nothing. Then: the tenant is told.
 */
import { ApiError } from '../api-error.ts'
import type { Jobs } from '../core.ts'
import { outputKeys } from '../jobs/keys.ts'
import type { VideoResult } from '../jobs/video-job.ts'
import { notFound } from '../reading/reader.ts'
import { queueUnavailable, reach } from '../stores/outage.ts'
import type { TransitionParts } from './parts.ts'

export function createReport({ queues, storage, reader, inputs, end }: TransitionParts): Jobs['completeFromOutside'] {
  return async ({ job_id: jobId, status, video_url, error }) => {
    const job = await reader.known(jobId)
    const { record, final } = job.entry
    if (final) return
    if (!queues.models.includes(record.model)) throw notFound()
    const ended =
      status === 'failed'
        ? await end.anyway('report', job, {
            status,
            code: 'engine_error',
            message: error ?? 'The worker reported a failure.',
          })
        : await end.anyway('report', job, {
            status,
            result: { video: video_url === undefined ? await ownVideo(jobId) : { url: video_url } },
          })
    if (!ended) throw queueUnavailable()
    if (!job.live) await reach(() => inputs.drop(record))
  }

  /** Outside workers of the original contract put the video to its final place themselves. */
  async function ownVideo(jobId: string): Promise<VideoResult['video']> {
    const { video } = outputKeys(jobId)
    if (await storage.head(video)) return { key: video }
    throw new ApiError(
      'invalid_request',
      `The job cannot be completed: give "video_url", or put the video to ${video} first.`,
      {
        issues: [{ path: 'video_url', message: 'is missing' }],
      },
    )
  }
}
