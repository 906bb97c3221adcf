/** The app's functions, which it hands over as strings and which run after the mutation that calls for them. */
import type { FunctionHandle } from 'convex/server'
import type { Doc, Id } from './_generated/dataModel.ts'
import type { MutationCtx } from './_generated/server.ts'
import type { EventType, VideoJob } from './job.ts'
import { readVideoJob } from './view.ts'

/** Tells the app's `onEvent` what has happened to a job. */
export async function announce(ctx: MutationCtx, jobId: Id<'videoJobs'>, type: EventType): Promise<void> {
  const job = await ctx.db.get(jobId)
  if (job?.onEvent === undefined) return
  await ctx.scheduler.runAfter(0, mutationHandle<{ type: EventType; job: VideoJob }>(job.onEvent), {
    type,
    job: await readVideoJob(ctx, job),
  })
}

/** Tells the app's `onComplete` that everything about a job is done. Called once for each job. */
export async function complete(ctx: MutationCtx, jobId: Id<'videoJobs'>): Promise<void> {
  const job = await ctx.db.get(jobId)
  if (job?.onComplete === undefined) return
  await ctx.scheduler.runAfter(0, mutationHandle<{ job: VideoJob }>(job.onComplete), {
    job: await readVideoJob(ctx, job),
  })
}

/** Calls the app's function that copies the video, once more. */
export async function callStore(ctx: MutationCtx, job: Doc<'videoJobs'>, attempt: number): Promise<void> {
  if (job.storeVideo === undefined || job.outputVideoUrl === undefined) return
  // `createFunctionHandle` made this string; only the database forgot its type.
  const handle = job.storeVideo as FunctionHandle<'action', { jobId: string; url: string; attempt: number }>
  await ctx.scheduler.runAfter(0, handle, { jobId: job._id, url: job.outputVideoUrl, attempt })
}

function mutationHandle<Args extends Record<string, unknown>>(handle: string): FunctionHandle<'mutation', Args> {
  // As above.
  return handle as FunctionHandle<'mutation', Args>
}
