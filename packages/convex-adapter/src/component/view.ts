/** A job as the app sees it: without the component's own bookkeeping. */
import type { Doc } from './_generated/dataModel.ts'
import type { QueryCtx } from './_generated/server.ts'
import type { VideoJob } from './job.ts'

/** The job as a list shows it: without progress, so that a list changes only when a status does. */
export function toVideoJob(job: Doc<'videoJobs'>): VideoJob {
  const { _id, _creationTime, userId, durationSeconds, settings, status, createdAt } = job
  const view: VideoJob = { _id, _creationTime, userId, durationSeconds, settings, status, createdAt }
  const optional = {
    sourceImageId: job.sourceImageId,
    prompt: job.prompt,
    externalJobId: job.externalJobId,
    outputVideoUrl: job.outputVideoUrl,
    posterUrl: job.posterUrl,
    linksExpireAt: job.linksExpireAt,
    errorMessage: job.errorMessage,
    errorCode: job.errorCode,
    completedAt: job.completedAt,
    videoStorageId: job.videoStorageId,
    storeError: job.storeError,
    notices: job.notices,
    callback_error: job.callback_error,
  }
  for (const [name, value] of Object.entries(optional)) if (value !== undefined) Object.assign(view, { [name]: value })
  if (job.context !== undefined) view.context = job.context
  return view
}

/** The job with its progress. */
export async function readVideoJob(ctx: Pick<QueryCtx, 'db'>, job: Doc<'videoJobs'>): Promise<VideoJob> {
  const view = toVideoJob(job)
  const progress = await findProgress(ctx, job._id)
  if (progress === null) return view
  view.progress = progress.progress
  if (progress.stage !== undefined) view.stage = progress.stage
  if (progress.queuePosition !== undefined) view.queuePosition = progress.queuePosition
  if (progress.notice !== undefined) view.notice = progress.notice
  return view
}

/** The row of a job's progress; there is none before the first news and after the end. */
export async function findProgress(
  ctx: Pick<QueryCtx, 'db'>,
  jobId: Doc<'videoJobs'>['_id'],
): Promise<Doc<'progress'> | null> {
  return ctx.db
    .query('progress')
    .withIndex('by_job', (q) => q.eq('jobId', jobId))
    .unique()
}
