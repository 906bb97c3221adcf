import { Kinora, storeVideoAction, type VideoJob, vOnComplete } from '@kinora/convex'
import { v } from 'convex/values'
import { api, components, internal } from './_generated/api'
import type { DataModel, Id } from './_generated/dataModel'
import { action, internalMutation, query } from './_generated/server'
import { getUserId } from './users'

const kinora: Kinora<Id<'users'>> = new Kinora(components.kinora, {
  onComplete: internal.videos.notify,
  storeVideo: internal.videos.storeVideo,
})

/** Copies finished videos into this app's storage. */
export const storeVideo = storeVideoAction(components.kinora)

export const { create, get, listByUser, cancel, remove, generateUploadUrl } = kinora.api<DataModel>({ getUserId })

/** Runs once for each job, when all about it is done. */
export const notify = internalMutation({
  args: vOnComplete,
  returns: v.null(),
  handler: async (ctx, { job }) => {
    const userId = ctx.db.normalizeId('users', job.userId)
    if (userId === null) return null
    const text =
      job.status === 'completed' ? 'Your video is ready.' : `No video: ${job.errorMessage ?? 'it was canceled.'}`
    await ctx.db.insert('notifications', { userId, jobId: job._id, text })
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

/** A link to share: fresh, however old the job is. */
export const link = action({
  args: { jobId: v.string() },
  returns: v.union(v.string(), v.null()),
  handler: async (ctx, { jobId }): Promise<string | null> => {
    const job: VideoJob<Id<'users'>> | null = await ctx.runQuery(api.videos.get, { jobId })
    return job === null ? null : kinora.videoUrl(ctx, jobId)
  },
})
