/** How jobs leave: one, all old ones, all of a user. */
import type { Doc } from './_generated/dataModel.ts'
import type { MutationCtx } from './_generated/server.ts'
import { bury } from './tombstones.ts'
import { findProgress } from './view.ts'

/** Removes a job here at once; the server is told after, until it has said so. */
export async function removeJob(ctx: MutationCtx, job: Doc<'videoJobs'>): Promise<void> {
  const progress = await findProgress(ctx, job._id)
  if (progress !== null) await ctx.db.delete(progress._id)
  await bury(ctx, job, 'remove')
  await ctx.db.delete(job._id)
}
