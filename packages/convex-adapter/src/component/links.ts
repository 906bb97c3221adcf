/** Links to a video and its still. The server signs them for a while, seven days by default; here they are made anew when somebody looks. */
import { v } from 'convex/values'
import { api, internal } from './_generated/api.ts'
import type { Doc } from './_generated/dataModel.ts'
import { action, internalAction, internalMutation, mutation } from './_generated/server.ts'
import { defined } from './defined.ts'
import { readServerAccess } from './environment.ts'
import { findJob, one } from './find.ts'
import type { VideoJob } from './job.ts'
import { linkEnd } from './link_end.ts'
import { sayRefused } from './notices.ts'
import { failure, toFailure } from './refusals.ts'
import { readJob } from './server.ts'

/** How long before they run out links are renewed. Milliseconds. */
const RENEW_BEFORE = 60 * 60 * 1000

/** A server that does not answer is asked for new links once in this time, however many look. Milliseconds. */
const RENEW_PAUSE = 60 * 1000

const links = v.object({ videoUrl: v.optional(v.string()), posterUrl: v.optional(v.string()) })

/** Fresh links, straight from the server; null where there is no finished video of this user. Throws where the server cannot be asked. */
export const freshLinks = action({
  args: one,
  returns: v.union(links, v.null()),
  handler: async (ctx, args): Promise<{ videoUrl?: string; posterUrl?: string } | null> => {
    const job: VideoJob | null = await ctx.runQuery(api.lib.get, args)
    if (job === null || job.status !== 'completed' || job.externalJobId === undefined) return null
    const { result_url, poster_url } = await readJob(readServerAccess(), job.externalJobId)
    return defined({ videoUrl: result_url, posterUrl: poster_url })
  },
})

/** Has the links of a job made anew, if they run out soon or have done so. Answers whether that is under way. */
export const renew = mutation({
  args: one,
  returns: v.boolean(),
  handler: async (ctx, args) => {
    const job = await findJob(ctx, args)
    if (job === null || !isDue(job)) return false
    await ctx.db.patch(job._id, { linksAskedAt: Date.now() })
    await ctx.scheduler.runAfter(0, internal.links.fetchLinks, {
      jobId: job._id,
      externalJobId: job.externalJobId ?? '',
    })
    return true
  },
})

function isDue({ status, externalJobId, linksExpireAt, linksAskedAt = 0 }: Doc<'videoJobs'>): boolean {
  if (status !== 'completed' || externalJobId === undefined || linksExpireAt === undefined) return false
  return linksExpireAt - Date.now() < RENEW_BEFORE && Date.now() - linksAskedAt > RENEW_PAUSE
}

export const fetchLinks = internalAction({
  args: { jobId: v.id('videoJobs'), externalJobId: v.string() },
  returns: v.null(),
  handler: async (ctx, { jobId, externalJobId }) => {
    try {
      const { result_url, poster_url } = await readJob(readServerAccess(), externalJobId)
      const fresh = defined({ videoUrl: result_url, posterUrl: poster_url })
      await ctx.runMutation(internal.links.recordLinks, { jobId, links: fresh })
    } catch (error) {
      // Whoever looks next has it tried again.
      await ctx.runMutation(internal.links.linksRefused, { jobId, failure: toFailure(error) })
    }
    return null
  },
})

export const recordLinks = internalMutation({
  args: { jobId: v.id('videoJobs'), links },
  returns: v.null(),
  handler: async (ctx, { jobId, links: { videoUrl, posterUrl } }) => {
    const job = await ctx.db.get(jobId)
    if (job === null || job.status !== 'completed' || videoUrl === undefined) return null
    await ctx.db.patch(jobId, {
      outputVideoUrl: videoUrl,
      linksExpireAt: linkEnd(videoUrl),
      ...defined({ posterUrl }),
    })
    return null
  },
})

export const linksRefused = internalMutation({
  args: { jobId: v.id('videoJobs'), failure },
  returns: v.null(),
  handler: async (ctx, { jobId, failure: { kind, message } }) => {
    if (kind !== undefined) await sayRefused(ctx, `renew the links of job ${jobId}`, kind, message)
    return null
  },
})
