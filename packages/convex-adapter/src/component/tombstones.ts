/**
 * What the server still has to be told: that a job was canceled or removed here. It stands in a row until the server has said so (2xx, or that it
 * knows no such job), however often it refuses before. The clock is a mutation, as with submissions.
 *
 * Where nobody knows whether the server has the job (the answer to a submission got lost), the same submission is sent once more under its
 * idempotency key: the answer names the job, which is then ended.
 */
import { v } from 'convex/values'
import { internal } from './_generated/api.ts'
import type { Doc, Id } from './_generated/dataModel.ts'
import { internalAction, internalMutation, type MutationCtx } from './_generated/server.ts'
import { defined } from './defined.ts'
import { readServerAccess } from './environment.ts'
import { sayAnswered, sayRefused } from './notices.ts'
import { outgoing, want, type Want } from './job.ts'
import { outgoingOf, sendOut } from './outgoing.ts'
import { REPORT_TIMEOUT, SUBMISSION_TIMEOUT, tellPause } from './pauses.ts'
import { cancelJob, removeJob } from './server.ts'
import { failure, toFailure } from './refusals.ts'

/** Notes that the server has to be told, unless it certainly knows nothing of the job. */
export async function bury(ctx: MutationCtx, job: Doc<'videoJobs'>, want: Want): Promise<void> {
  const { externalJobId } = job
  const existing = await findTombstone(ctx, job._id)
  if (existing !== null) {
    await ctx.db.patch(existing._id, { want })
    await kick(ctx, existing)
    return
  }
  const isUnderWay = externalJobId === undefined && job.attempt > (job.reported ?? 0)
  if (externalJobId === undefined && !isUnderWay && !job.maybeTaken) return
  const row = { jobId: job._id, want, attempt: 0, maybeTaken: job.maybeTaken ?? false }
  const tombstoneId = await ctx.db.insert(
    'tombstones',
    externalJobId === undefined
      ? { ...row, outgoing: outgoingOf(job, job.sentWebhook ?? undefined) }
      : { ...row, externalJobId },
  )
  // What is under way reports by itself how it went; only if it never does, the clock must find out.
  const pause = isUnderWay && !job.maybeTaken ? SUBMISSION_TIMEOUT : 0
  await ctx.scheduler.runAfter(pause, internal.tombstones.attempt, { tombstoneId, attempt: 1 })
}

/** A message of the server names a job that was removed here, perhaps long ago. */
export async function buryStranger(ctx: MutationCtx, jobId: Id<'videoJobs'>, externalJobId: string): Promise<void> {
  if (await identify(ctx, jobId, externalJobId)) return
  const row = { jobId, externalJobId, want: 'remove', attempt: 0, maybeTaken: true } as const
  const tombstoneId = await ctx.db.insert('tombstones', row)
  await ctx.scheduler.runAfter(0, internal.tombstones.attempt, { tombstoneId, attempt: 1 })
}

/** The server's id of a job that has ended here without it has become known. Answers whether somebody waits for it. */
export async function identify(ctx: MutationCtx, jobId: Id<'videoJobs'>, externalJobId: string): Promise<boolean> {
  const tombstone = await findTombstone(ctx, jobId)
  if (tombstone === null) return false
  if (tombstone.externalJobId !== undefined) return true
  await ctx.db.patch(tombstone._id, { externalJobId, outgoing: undefined })
  await kick(ctx, tombstone)
  return true
}

/** An attempt at submitting a job that has ended here meanwhile has failed: either the server certainly has nothing, or it must be asked. */
export async function submissionEnded(ctx: MutationCtx, jobId: Id<'videoJobs'>, untaken: boolean): Promise<void> {
  const tombstone = await findTombstone(ctx, jobId)
  if (tombstone === null || tombstone.externalJobId !== undefined) return
  if (untaken && !tombstone.maybeTaken) await ctx.db.delete(tombstone._id)
  else await kick(ctx, tombstone)
}

async function findTombstone(ctx: MutationCtx, jobId: Id<'videoJobs'>): Promise<Doc<'tombstones'> | null> {
  return ctx.db
    .query('tombstones')
    .withIndex('by_job', (q) => q.eq('jobId', jobId))
    .first()
}

/** The next attempt now. The one that was set for later finds itself overtaken. */
async function kick(ctx: MutationCtx, { _id, attempt }: Doc<'tombstones'>): Promise<void> {
  await ctx.scheduler.runAfter(0, internal.tombstones.attempt, { tombstoneId: _id, attempt: attempt + 1 })
}

/** Begins attempt `attempt` and sets the one after it, for the case that this one never reports back. */
export const attempt = internalMutation({
  args: { tombstoneId: v.id('tombstones'), attempt: v.number() },
  returns: v.null(),
  handler: async (ctx, { tombstoneId, attempt }) => {
    const tombstone = await ctx.db.get(tombstoneId)
    if (tombstone === null || tombstone.attempt !== attempt - 1) return null
    await ctx.db.patch(tombstoneId, { attempt })
    const { want, externalJobId, outgoing } = tombstone
    await ctx.scheduler.runAfter(0, internal.tombstones.tell, {
      tombstoneId,
      attempt,
      want,
      ...defined({ externalJobId, outgoing }),
    })
    const pause = Math.max(REPORT_TIMEOUT, tellPause(attempt))
    await ctx.scheduler.runAfter(pause, internal.tombstones.attempt, { tombstoneId, attempt: attempt + 1 })
    return null
  },
})

/** Tells the server, once. */
export const tell = internalAction({
  args: {
    tombstoneId: v.id('tombstones'),
    attempt: v.number(),
    want,
    externalJobId: v.optional(v.string()),
    outgoing: v.optional(outgoing),
  },
  returns: v.null(),
  handler: async (ctx, { tombstoneId, attempt, want, externalJobId, outgoing }) => {
    try {
      const known = externalJobId ?? (outgoing === undefined ? undefined : await sendOut(outgoing))
      if (known === undefined) return null
      // Kept before the job is ended: afterwards the same submission would make a new one.
      if (externalJobId === undefined) {
        await ctx.runMutation(internal.tombstones.identified, { tombstoneId, externalJobId: known })
      }
      await (want === 'remove' ? removeJob : cancelJob)(readServerAccess(), known)
    } catch (error) {
      await ctx.runMutation(internal.tombstones.refused, { tombstoneId, attempt, failure: toFailure(error) })
      return null
    }
    await ctx.runMutation(internal.tombstones.told, { tombstoneId, want })
    return null
  },
})

/** The server's id of the job, found out by sending its submission once more. */
export const identified = internalMutation({
  args: { tombstoneId: v.id('tombstones'), externalJobId: v.string() },
  returns: v.null(),
  handler: async (ctx, { tombstoneId, externalJobId }) => {
    const tombstone = await ctx.db.get(tombstoneId)
    if (tombstone === null) return null
    await ctx.db.patch(tombstoneId, { externalJobId, outgoing: undefined })
    const job = await ctx.db.get(tombstone.jobId)
    if (job !== null && job.externalJobId === undefined) await ctx.db.patch(job._id, { externalJobId })
    return null
  },
})

/** The server has done it. */
export const told = internalMutation({
  args: { tombstoneId: v.id('tombstones'), want },
  returns: v.null(),
  handler: async (ctx, { tombstoneId, want }) => {
    const tombstone = await ctx.db.get(tombstoneId)
    // A job that was removed while its cancel was on the way has the removal still before it.
    if (tombstone !== null && tombstone.want === want) await ctx.db.delete(tombstoneId)
    await sayAnswered(ctx)
    return null
  },
})

/** The server has not done it: again after a pause, unless there is nothing to do. */
export const refused = internalMutation({
  args: { tombstoneId: v.id('tombstones'), attempt: v.number(), failure },
  returns: v.null(),
  handler: async (ctx, { tombstoneId, attempt, failure: { message, code, kind, retryAfter } }) => {
    const tombstone = await ctx.db.get(tombstoneId)
    if (tombstone === null) return null
    const { want, externalJobId } = tombstone
    // The server knows no such job; or it refuses the submission for good, and so has made no job of it. That is true however late it is heard.
    if (code === 'job_not_found' || (externalJobId === undefined && kind === undefined)) {
      await ctx.db.delete(tombstoneId)
      return null
    }
    if (tombstone.attempt !== attempt) return null
    const which = externalJobId ?? `${tombstone.jobId}, whose acceptance was not heard of,`
    await sayRefused(ctx, `${want} job ${which} on the server`, kind ?? 'server_error', message)
    await ctx.scheduler.runAfter(tellPause(attempt, retryAfter), internal.tombstones.attempt, {
      tombstoneId,
      attempt: attempt + 1,
    })
    return null
  },
})
