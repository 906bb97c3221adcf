/** Having the app copy a finished video into its own storage, which a component cannot write to. The clock is a mutation, as with submissions. */
import { v } from 'convex/values'
import { api, internal } from './_generated/api.ts'
import type { Doc } from './_generated/dataModel.ts'
import { action, internalMutation, mutation, type MutationCtx } from './_generated/server.ts'
import { callStore, complete } from './callbacks.ts'
import { readServerAccess } from './environment.ts'
import type { VideoJob } from './job.ts'
import { MAX_STORE_ATTEMPTS, retryPause, STORE_TIMEOUT } from './pauses.ts'
import { toFailure } from './refusals.ts'
import { copyVideo } from './server.ts'

/** Begins attempt `attempt`, unless the copy is past it. */
export const attemptStore = internalMutation({
  args: { jobId: v.id('videoJobs'), attempt: v.number() },
  returns: v.null(),
  handler: async (ctx, { jobId, attempt }) => {
    const job = await ctx.db.get(jobId)
    if (job === null || !isOpen(job) || (job.storeAttempt ?? 0) !== attempt - 1) return null
    if (attempt > MAX_STORE_ATTEMPTS) {
      await end(ctx, job, { storeError: 'Copying the video never came to an end.' })
      return null
    }
    await ctx.db.patch(jobId, { storeAttempt: attempt })
    await callStore(ctx, job, attempt)
    await ctx.scheduler.runAfter(STORE_TIMEOUT, internal.storing.attemptStore, { jobId, attempt: attempt + 1 })
    return null
  },
})

/**
 * Has the server send the video to an upload URL of the app's, so that its bytes pass through no function. Answers the storage's id; null where the
 * server cannot, which leaves the copy to the app; or why it did not work.
 */
export const copyByServer = action({
  args: { jobId: v.string(), uploadUrl: v.string(), maxBytes: v.number() },
  returns: v.union(
    v.object({ storageId: v.string() }),
    v.object({ error: v.string(), retryable: v.boolean() }),
    v.null(),
  ),
  handler: async (
    ctx,
    { jobId, uploadUrl, maxBytes },
  ): Promise<{ storageId: string } | { error: string; retryable: boolean } | null> => {
    const job: VideoJob | null = await ctx.runQuery(api.lib.get, { jobId })
    if (job?.externalJobId === undefined) return null
    try {
      const storageId = await copyVideo(readServerAccess(), job.externalJobId, { uploadUrl, maxBytes })
      return storageId === undefined ? null : { storageId }
    } catch (error) {
      const { message, kind } = toFailure(error)
      return { error: message, retryable: kind !== undefined }
    }
  },
})

/** The app has the copy. Answers false where it is not wanted any more, so that the app deletes it again. */
export const videoStored = mutation({
  args: { jobId: v.string(), storageId: v.string() },
  returns: v.boolean(),
  handler: async (ctx, { jobId, storageId }) => {
    const job = await openJob(ctx, jobId)
    if (job === null) return false
    await end(ctx, job, { videoStorageId: storageId })
    return true
  },
})

/** The app could not make the copy. */
export const videoNotStored = mutation({
  args: { jobId: v.string(), attempt: v.number(), error: v.string(), retryable: v.boolean() },
  returns: v.null(),
  handler: async (ctx, { jobId, attempt, error, retryable }) => {
    const job = await openJob(ctx, jobId)
    if (job === null || job.storeAttempt !== attempt) return null
    if (!retryable || attempt >= MAX_STORE_ATTEMPTS) {
      await end(ctx, job, { storeError: error })
      return null
    }
    await ctx.scheduler.runAfter(retryPause(attempt), internal.storing.attemptStore, {
      jobId: job._id,
      attempt: attempt + 1,
    })
    return null
  },
})

async function openJob(ctx: MutationCtx, jobId: string): Promise<Doc<'videoJobs'> | null> {
  const id = ctx.db.normalizeId('videoJobs', jobId)
  const job = id === null ? null : await ctx.db.get(id)
  return job !== null && isOpen(job) ? job : null
}

function isOpen(job: Doc<'videoJobs'>): boolean {
  return job.status === 'completed' && job.videoStorageId === undefined && job.storeError === undefined
}

async function end(
  ctx: MutationCtx,
  job: Doc<'videoJobs'>,
  result: { videoStorageId: string } | { storeError: string },
): Promise<void> {
  await ctx.db.patch(job._id, result)
  await complete(ctx, job._id)
}
