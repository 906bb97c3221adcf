/** The app's functions, which it hands over as strings and which run after the mutation that calls for them. */
import type { FunctionHandle } from 'convex/server'
import { v } from 'convex/values'
import { internal } from './_generated/api.ts'
import type { Doc, Id } from './_generated/dataModel.ts'
import { internalMutation, type MutationCtx } from './_generated/server.ts'
import { type EventType, videoJob, type VideoJob } from './job.ts'
import { MAX_CALLBACK_ATTEMPTS, retryPause } from './pauses.ts'
import { readVideoJob } from './view.ts'

/** Characters of a thrown message that are kept. */
const MAX_ERROR_LENGTH = 1000

/** Tells the app's `onEvent` what has happened to a job. */
export async function announce(ctx: MutationCtx, jobId: Id<'videoJobs'>, type: EventType): Promise<void> {
  const job = await ctx.db.get(jobId)
  if (job?.onEvent === undefined) return
  await ctx.scheduler.runAfter(0, mutationHandle<{ type: EventType; job: VideoJob }>(job.onEvent), {
    type,
    job: await readVideoJob(ctx, job),
  })
}

/** Tells the app's `onComplete` that everything about a job is done. */
export async function complete(ctx: MutationCtx, jobId: Id<'videoJobs'>): Promise<void> {
  const job = await ctx.db.get(jobId)
  if (job?.onComplete === undefined) return
  await ctx.scheduler.runAfter(0, internal.callbacks.callOnComplete, {
    jobId,
    handle: job.onComplete,
    job: await readVideoJob(ctx, job),
    attempt: 1,
  })
}

/** Calls `onComplete`. Where it throws, what it wrote is undone and it is called again; in the end the job says what it threw. */
export const callOnComplete = internalMutation({
  args: { jobId: v.id('videoJobs'), handle: v.string(), job: videoJob, attempt: v.number() },
  returns: v.null(),
  handler: async (ctx, { jobId, handle, job, attempt }) => {
    try {
      await ctx.runMutation(mutationHandle<{ job: VideoJob }>(handle), { job })
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error)
      console.error(
        `Kinora: onComplete of job ${jobId} threw (attempt ${attempt} of ${MAX_CALLBACK_ATTEMPTS}): ${message}`,
      )
      if (attempt < MAX_CALLBACK_ATTEMPTS) {
        const again = { jobId, handle, job, attempt: attempt + 1 }
        await ctx.scheduler.runAfter(retryPause(attempt), internal.callbacks.callOnComplete, again)
      } else if ((await ctx.db.get(jobId)) !== null) {
        await ctx.db.patch(jobId, { callback_error: message.slice(0, MAX_ERROR_LENGTH) })
      }
    }
    return null
  },
})

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
