/** A job by its id, in the scope of a user. */
import { v } from 'convex/values'
import type { Doc } from './_generated/dataModel.ts'
import type { QueryCtx } from './_generated/server.ts'

/** Arguments that name one job. */
export const one = {
  jobId: v.string(),
  /** Whose job it must be; another's is treated as if it did not exist. */
  userId: v.optional(v.string()),
}

/** The job, or null where it does not exist or is somebody else's. */
export async function findJob(
  ctx: Pick<QueryCtx, 'db'>,
  { jobId, userId }: { jobId: string; userId?: string },
): Promise<Doc<'videoJobs'> | null> {
  const id = ctx.db.normalizeId('videoJobs', jobId)
  const job = id === null ? null : await ctx.db.get(id)
  return job === null || (userId !== undefined && job.userId !== userId) ? null : job
}
