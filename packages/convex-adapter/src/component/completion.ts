/** How a job ends. Whoever brings the news (webhook, poll, a failed submission, the user), the first end counts and nothing after it changes anything. */
import { v } from 'convex/values'
import { internal } from './_generated/api.ts'
import type { Doc } from './_generated/dataModel.ts'
import { internalMutation, type MutationCtx } from './_generated/server.ts'
import { announce, complete } from './callbacks.ts'
import { isFinal } from './job.ts'
import { linkEnd } from './link_end.ts'
import { bury, buryStranger, identify } from './tombstones.ts'
import { findProgress } from './view.ts'

/** The end of a job. */
export type End =
  | { readonly status: 'completed'; readonly videoUrl: string; readonly posterUrl?: string | undefined }
  | { readonly status: 'failed'; readonly message: string; readonly code?: string | undefined }
  | { readonly status: 'canceled' }

/** Fails a job that the server may still be working on, and has it told. */
export async function giveUp(
  ctx: MutationCtx,
  job: Doc<'videoJobs'>,
  { message, code }: { message: string; code: string },
): Promise<void> {
  if (await settle(ctx, job, { status: 'failed', message, code })) await bury(ctx, job, 'cancel')
}

/**
 * What became of a message about a job: `applied`; `unchanged`, the job had ended before; `early`, the job's submission is still under way, so send
 * it again; `gone`, the job was removed here, and is now removed there; `unknown`, nobody has heard of it.
 */
export const verdict = v.union(
  v.literal('applied'),
  v.literal('unchanged'),
  v.literal('early'),
  v.literal('gone'),
  v.literal('unknown'),
)

/** Ends a job. Answers false, and does nothing, where it has ended before. */
export async function settle(ctx: MutationCtx, job: Doc<'videoJobs'>, end: End): Promise<boolean> {
  if (isFinal(job.status)) return false
  const copies = end.status === 'completed' && job.storeVideo !== undefined
  await ctx.db.patch(job._id, {
    status: end.status,
    completedAt: Date.now(),
    unreachableSince: undefined,
    ...(end.status === 'completed'
      ? { outputVideoUrl: end.videoUrl, posterUrl: end.posterUrl, linksExpireAt: linkEnd(end.videoUrl) }
      : {}),
    ...(end.status === 'failed' ? { errorMessage: end.message, errorCode: end.code } : {}),
    ...(end.status === 'canceled' ? { errorCode: 'canceled' } : {}),
  })
  const progress = await findProgress(ctx, job._id)
  if (progress !== null) await ctx.db.delete(progress._id)
  await announce(ctx, job._id, `job.${end.status}`)
  if (copies) await ctx.scheduler.runAfter(0, internal.storing.attemptStore, { jobId: job._id, attempt: 1 })
  else await complete(ctx, job._id)
  return true
}

/** Notes what the server says was left aside; only where that is news, since jobs are read in lists. */
export async function keepNotices(
  ctx: MutationCtx,
  job: Doc<'videoJobs'>,
  notices: string[] | undefined,
): Promise<void> {
  if (notices === undefined || JSON.stringify(notices) === JSON.stringify(job.notices)) return
  await ctx.db.patch(job._id, { notices })
}

const about = {
  notices: v.optional(v.array(v.string())),
  externalJobId: v.string(),
  /** The job's id here, as the webhook's URL carries it. */
  jobId: v.optional(v.string()),
}

/** The server has made the video. */
export const completeJob = internalMutation({
  args: {
    ...about,
    /** Where a message lacks it, the server is asked. */
    videoUrl: v.optional(v.string()),
    posterUrl: v.optional(v.string()),
  },
  returns: verdict,
  handler: async (ctx, { videoUrl, posterUrl, ...args }) => {
    const found = await find(ctx, args)
    if (typeof found === 'string') return found
    if (isFinal(found.status)) return 'unchanged'
    await keepNotices(ctx, found, args.notices)
    if (videoUrl === undefined) {
      await ctx.scheduler.runAfter(0, internal.polling.poll, { jobId: found._id, externalJobId: args.externalJobId })
      return 'applied'
    }
    await settle(ctx, found, { status: 'completed', videoUrl, posterUrl })
    return 'applied'
  },
})

/** The server could not make the video, or was told not to. */
export const failJob = internalMutation({
  args: { ...about, error: v.optional(v.string()), code: v.optional(v.string()), canceled: v.optional(v.boolean()) },
  returns: verdict,
  handler: async (ctx, { error, code, canceled, ...args }) => {
    const found = await find(ctx, args)
    if (typeof found === 'string') return found
    if (!isFinal(found.status)) await keepNotices(ctx, found, args.notices)
    const ended = await settle(
      ctx,
      found,
      canceled ? { status: 'canceled' } : { status: 'failed', message: error ?? 'The video could not be made.', code },
    )
    return ended ? 'applied' : 'unchanged'
  },
})

/** The job a message is about, or what its sender shall be told instead. */
async function find(
  ctx: MutationCtx,
  { externalJobId, jobId }: { externalJobId: string; jobId?: string },
): Promise<Doc<'videoJobs'> | 'unchanged' | 'early' | 'gone' | 'unknown'> {
  const known = await ctx.db
    .query('videoJobs')
    .withIndex('by_external_job', (q) => q.eq('externalJobId', externalJobId))
    .first()
  if (known !== null) return known
  if (jobId === undefined) return 'unknown'
  const id = ctx.db.normalizeId('videoJobs', jobId)
  // Not an id of this table: the component was installed anew meanwhile. There is nothing to repeat.
  if (id === null) return 'gone'
  const named = await ctx.db.get(id)
  if (named === null) {
    await buryStranger(ctx, id, externalJobId)
    return 'gone'
  }
  // A message is only ever applied to a job whose external id is on record: the URL is not signed, so the id in it proves nothing.
  if (named.externalJobId !== undefined) return 'unchanged'
  if (named.status === 'uploading') return 'early'
  // It ended here before anybody heard that the server had taken it.
  await ctx.db.patch(id, { externalJobId })
  await identify(ctx, id, externalJobId)
  return 'unchanged'
}
