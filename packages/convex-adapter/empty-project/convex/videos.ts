import { Kinora, storeVideoAction, vOnCompleteFor, vOnEvent } from '@kinora/convex'
import { v } from 'convex/values'
import { components, internal } from './_generated/api'
import type { DataModel, Id } from './_generated/dataModel'
import { internalMutation, mutation, query } from './_generated/server'

export const kinora: Kinora<Id<'users'>, { album: string }> = new Kinora(components.kinora, {
  onComplete: internal.videos.done,
  onEvent: internal.videos.log,
  storeVideo: internal.videos.storeVideo,
})
export const drafts = new Kinora(components.drafts)

export const storeVideo = storeVideoAction(components.kinora, { maxBytes: 5_000_000 })

export const done = internalMutation({
  args: vOnCompleteFor({ userId: v.id('users'), context: v.object({ album: v.string() }) }),
  handler: async (ctx, { job }) => {
    await ctx.db.insert('videos', { userId: job.userId, jobId: job._id, album: job.context.album })
  },
})

export const log = internalMutation({
  args: vOnEvent,
  handler: async (_ctx, { type, job }) => console.log(type, job.status),
})

export const { create, get, listByUser, list, cancel, remove, renew, generateUploadUrl } = kinora.api<DataModel>({
  getUserId: async (ctx) => (await ctx.db.query('users').first())?._id ?? null,
})

export const make = mutation({
  args: { image: v.id('_storage'), userId: v.id('users') },
  handler: async (ctx, { image, userId }): Promise<string> =>
    kinora.create(ctx, { userId, image, prompt: 'slow zoom', duration: 3, fps: 24, context: { album: 'cats' } }),
})

export const owner = query({
  args: { jobId: v.string() },
  returns: v.union(v.id('users'), v.null()),
  handler: async (ctx, { jobId }) => (await kinora.get(ctx, jobId, { any: true }))?.userId ?? null,
})

export const wrong = mutation({
  args: { userId: v.id('users') },
  handler: async (ctx, { userId }) => {
    // @ts-expect-error a picture is needed
    await kinora.create(ctx, { userId })
    await kinora.create(ctx, { userId, images: [{ image_url: 'https://example.com/cat.jpg', at: 'start' }] })
    // @ts-expect-error one picture, or several
    await kinora.create(ctx, { userId, image: 'https://example.com/cat.jpg', images: [] })
    // @ts-expect-error users are ids of the app's own table
    await kinora.create(ctx, { userId: 'ada', image: 'https://example.com/cat.jpg' })
    // @ts-expect-error whose job it may be is said
    await kinora.get(ctx, 'job')
    // @ts-expect-error nobody is not everybody
    await kinora.cancel(ctx, 'job', {})
    // @ts-expect-error there is no such setting
    await kinora.create(ctx, { userId, image: 'https://example.com/cat.jpg', negativePrompt: 'no' })
  },
})
