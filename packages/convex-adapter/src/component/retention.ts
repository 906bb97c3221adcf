/** How jobs leave: one, all old ones, all of a user. */
import { v } from 'convex/values'
import { api } from './_generated/api.ts'
import type { Doc } from './_generated/dataModel.ts'
import { mutation, type MutationCtx } from './_generated/server.ts'
import { bury } from './tombstones.ts'
import { findProgress } from './view.ts'

/** Jobs that one mutation removes. */
const BATCH = 100

/** Removes a job here at once; the server is told after, until it has said so. */
export async function removeJob(ctx: MutationCtx, job: Doc<'videoJobs'>): Promise<void> {
  const progress = await findProgress(ctx, job._id)
  if (progress !== null) await ctx.db.delete(progress._id)
  await bury(ctx, job, 'remove')
  await ctx.db.delete(job._id)
}

/** Removes jobs that ended at least so long ago, and goes on by itself until none is left. Answers how many this batch had. */
export const cleanUp = mutation({
  args: {
    /** Milliseconds. */
    olderThan: v.number(),
  },
  returns: v.number(),
  handler: async (ctx, { olderThan }): Promise<number> => {
    if (!(olderThan >= 0)) throw new Error(`olderThan: must be milliseconds from 0 on, not ${olderThan}`)
    const until = Date.now() - olderThan
    const old = await ctx.db
      .query('videoJobs')
      // Without the lower bound it would begin with jobs that have no end yet.
      .withIndex('by_completed', (q) => q.gt('completedAt', 0).lte('completedAt', until))
      .take(BATCH)
    for (const job of old) await removeJob(ctx, job)
    if (old.length === BATCH) await ctx.scheduler.runAfter(0, api.retention.cleanUp, { olderThan })
    return old.length
  },
})

/** Removes a batch of a user's jobs, and answers what of them lies in the app's storage, which only the app can delete. */
export const removeUser = mutation({
  args: { userId: v.string() },
  returns: v.object({
    removed: v.number(),
    isDone: v.boolean(),
    copies: v.array(v.string()),
    pictures: v.array(v.string()),
  }),
  handler: async (ctx, { userId }) => {
    const jobs = await ctx.db
      .query('videoJobs')
      .withIndex('by_user', (q) => q.eq('userId', userId))
      .take(BATCH)
    for (const job of jobs) await removeJob(ctx, job)
    return {
      removed: jobs.length,
      isDone: jobs.length < BATCH,
      copies: jobs.flatMap(({ videoStorageId }) => videoStorageId ?? []),
      pictures: [...new Set(jobs.flatMap(({ sourceImageId }) => sourceImageId ?? []))],
    }
  },
})
