/** What the app may do with jobs. It says who the user is; the component believes it. */
import { explained, GenerateRequest } from '@kinora/protocol'
import { paginationOptsValidator, paginationResultValidator } from 'convex/server'
import { ConvexError, getConvexSize, v, type Value } from 'convex/values'
import { api, internal } from './_generated/api.ts'
import { action, mutation, query } from './_generated/server.ts'
import { settle } from './completion.ts'
import { defined } from './defined.ts'
import { removeJob } from './retention.ts'
import { bury } from './tombstones.ts'
import { imageDelivery, isFinal, OPEN_STATUSES, settings, type VideoJob, videoJob } from './job.ts'
import { findJob, one } from './find.ts'
import { goesAsBytes } from './outgoing.ts'
import { readPage } from './pages.ts'
import { DEFAULT_MAX_ATTEMPTS } from './pauses.ts'
import { readVideoJob, toVideoJob } from './view.ts'

/** Bytes of a job's context, as Convex counts them. */
const MAX_CONTEXT_BYTES = 8192

/** How far open jobs are counted. */
const MAX_COUNT = 1000

/** Makes a job and sets it on its way. */
export const create = mutation({
  args: {
    userId: v.string(),
    imageUrl: v.optional(v.string()),
    sourceImageId: v.optional(v.string()),
    imageDelivery: v.optional(imageDelivery),
    prompt: v.optional(v.string()),
    duration: v.optional(v.number()),
    settings: v.optional(settings),
    context: v.optional(v.any()),
    webhookUrl: v.optional(v.string()),
    maxAttempts: v.optional(v.number()),
    onComplete: v.optional(v.string()),
    onEvent: v.optional(v.string()),
    storeVideo: v.optional(v.string()),
  },
  returns: v.string(),
  handler: async (ctx, args): Promise<string> => {
    const { userId, imageUrl, imageDelivery = 'auto', duration, settings = {}, maxAttempts, prompt, ...rest } = args
    if (userId === '') refuse('userId is empty: pass the signed-in user, such as the subject of his identity.')
    if (imageUrl === undefined && settings.images === undefined) refuse('image: give the picture')
    const fields = { ...settings, prompt, duration, image_url: imageUrl, webhook_url: rest.webhookUrl }
    const request = GenerateRequest.safeParse(fields, explained)
    if (!request.success) {
      refuse(request.error.issues.map(({ path, message }) => `${nameOf(path)}: ${message}`).join('; '))
    }
    if (maxAttempts !== undefined && !(Number.isInteger(maxAttempts) && maxAttempts >= 1 && maxAttempts <= 100)) {
      refuse('maxAttempts: must be a whole number from 1 to 100')
    }

    checkContext(rest.context)
    if (settings.metadata !== undefined) {
      const isStored = rest.sourceImageId !== undefined
      // A form has texts only.
      if (goesAsBytes({ isStored, imageDelivery, ...defined({ imageUrl }) })) {
        refuse('metadata: does not go along with a picture that is sent as bytes, as in local development; use context')
      }
    }

    const jobId = await ctx.db.insert('videoJobs', {
      ...rest,
      userId,
      imageDelivery,
      durationSeconds: request.data.duration,
      settings,
      ...defined({ prompt, sourceImageUrl: imageUrl }),
      status: 'uploading',
      createdAt: Date.now(),
      attempt: 0,
      maxAttempts: maxAttempts ?? DEFAULT_MAX_ATTEMPTS,
    })
    await ctx.scheduler.runAfter(0, internal.submission.attemptSubmission, { jobId, attempt: 1 })
    return jobId
  },
})

/** A field's name as the app knows it. */
function nameOf(path: readonly PropertyKey[]): string {
  const name = path.join('.')
  return name === 'image_url' ? 'image' : name || 'request'
}

/** A context is read with every list of jobs, and goes along with every callback. */
function checkContext(context: Value | undefined): void {
  const size = context === undefined ? 0 : getConvexSize(context)
  if (size > MAX_CONTEXT_BYTES) refuse(`context: has ${size} bytes; at most ${MAX_CONTEXT_BYTES} are allowed`)
}

/** The job, or null where it does not exist or is somebody else's. */
export const get = query({
  args: one,
  returns: v.union(videoJob, v.null()),
  handler: async (ctx, args): Promise<VideoJob | null> => {
    const job = await findJob(ctx, args)
    return job === null ? null : readVideoJob(ctx, job)
  },
})

/** A user's jobs, newest first, a page at a time. */
export const listByUser = query({
  args: { userId: v.string(), paginationOpts: paginationOptsValidator },
  returns: paginationResultValidator(videoJob),
  handler: async (ctx, { userId, paginationOpts }) => {
    const result = await readPage(ctx, userId, paginationOpts)
    return { ...result, page: result.page.map(toVideoJob) }
  },
})

/** How many jobs of a user have not ended, counted up to a thousand. */
export const countOpen = query({
  args: { userId: v.string() },
  returns: v.number(),
  handler: async (ctx, { userId }) => {
    let open = 0
    for (const status of OPEN_STATUSES) {
      const found = await ctx.db
        .query('videoJobs')
        .withIndex('by_user_status', (q) => q.eq('userId', userId).eq('status', status))
        .take(MAX_COUNT - open)
      open += found.length
      if (open === MAX_COUNT) break
    }
    return open
  },
})

/** Cancels a job. It shows at once; the server is told after. Answers false where there was nothing to cancel. */
export const cancel = mutation({
  args: one,
  returns: v.boolean(),
  handler: async (ctx, args) => {
    const job = await findJob(ctx, args)
    if (job === null || isFinal(job.status)) return false
    await settle(ctx, job, { status: 'canceled' })
    await bury(ctx, job, 'cancel')
    return true
  },
})

/** Removes a job here and, with its video, on the server. One that is running is canceled by that. Answers false where there was none. */
export const remove = mutation({
  args: one,
  returns: v.boolean(),
  handler: async (ctx, args) => {
    const job = await findJob(ctx, args)
    if (job === null) return false
    await removeJob(ctx, job)
    return true
  },
})

/** A fresh URL of the video, straight from the server, or null where there is none. */
export const freshVideoUrl = action({
  args: one,
  returns: v.union(v.string(), v.null()),
  handler: async (ctx, args): Promise<string | null> => {
    const links = await ctx.runAction(api.links.freshLinks, args)
    return links?.videoUrl ?? null
  },
})

function refuse(message: string): never {
  throw new ConvexError({ code: 'invalid_request', message })
}
