import { Kinora, storeVideoAction, type VideoJob, vOnComplete } from '@kinora/convex'
import { v } from 'convex/values'
import { api, components, internal } from './_generated/api'
import { action, internalMutation, query } from './_generated/server'
import { getUserId } from './auth'

const kinora: Kinora = new Kinora(components.kinora, {
  onComplete: internal.videos.notify,
  storeVideo: internal.videos.storeVideo,
})

/** Copies finished videos into this app's storage. */
export const storeVideo = storeVideoAction(components.kinora)

/** What the page calls: the usual functions, for the signed-in user. */
export const { create, get, listByUser, list, cancel, remove, renew, generateUploadUrl } = kinora.api({ getUserId })

/** Runs once for each job, when all about it is done. */
export const notify = internalMutation({
  args: vOnComplete,
  returns: v.null(),
  handler: async (ctx, { job }) => {
    const text =
      job.status === 'completed' ? 'Your video is ready.' : `No video: ${job.errorMessage ?? 'it was canceled.'}`
    await ctx.db.insert('notifications', { userId: job.userId, jobId: job._id, text })
    return null
  },
})

export const notifications = query({
  args: {},
  handler: async (ctx) => {
    const userId = await getUserId(ctx)
    if (userId === null) return []
    return ctx.db
      .query('notifications')
      .withIndex('by_user', (q) => q.eq('userId', userId))
      .order('desc')
      .take(10)
  },
})

/** A link to share: one that works now, however old the job is. */
export const link = action({
  args: { jobId: v.string() },
  returns: v.union(v.string(), v.null()),
  handler: async (ctx, { jobId }): Promise<string | null> => {
    const job: VideoJob | null = await ctx.runQuery(api.videos.get, { jobId })
    return job === null ? null : kinora.videoUrl(ctx, jobId, { userId: job.userId })
  },
})
