/**
 * Getting a job to the server. A mutation is the clock: it begins each attempt and, before that, the attempt after it, because Convex runs a
 * scheduled mutation exactly once but an action at most once. Attempts share an idempotency key, so they make one video.
 */
import { v } from 'convex/values'
import { internal } from './_generated/api.ts'
import type { Doc, Id } from './_generated/dataModel.ts'
import { internalAction, internalMutation, type MutationCtx } from './_generated/server.ts'
import { webhookAddress } from './addresses.ts'
import { announce } from './callbacks.ts'
import { giveUp } from './completion.ts'
import { readSiteUrl, readWebhookSecrets } from './environment.ts'
import { outgoing } from './job.ts'
import { sayAnswered, sayOnce, sayRefused } from './notices.ts'
import { outgoingOf, sendOut } from './outgoing.ts'
import { retryPause, SUBMISSION_TIMEOUT } from './pauses.ts'
import { scheduleTick } from './polling.ts'
import { failure, toFailure } from './refusals.ts'
import { bury, buryStranger, identify, submissionEnded } from './tombstones.ts'

/** Begins attempt `attempt`, unless the job is past it. */
export const attemptSubmission = internalMutation({
  args: { jobId: v.id('videoJobs'), attempt: v.number() },
  returns: v.null(),
  handler: async (ctx, { jobId, attempt }) => {
    const job = await ctx.db.get(jobId)
    if (job === null || job.status !== 'uploading' || job.attempt !== attempt - 1) return null
    if (attempt > job.maxAttempts) {
      await giveUp(ctx, job, {
        message: `Kinora did not accept the job in ${job.maxAttempts} attempts; the last one never came back.`,
        code: 'submission_failed',
      })
      return null
    }
    const isLost = job.attempt > (job.reported ?? 0)
    const maybeTaken = job.maybeTaken === true || isLost
    const webhook = maybeTaken && job.sentWebhook !== undefined ? job.sentWebhook : await chooseWebhook(ctx, job)
    await ctx.db.patch(jobId, { attempt, maybeTaken, sentWebhook: webhook })
    await ctx.scheduler.runAfter(0, internal.submission.submit, {
      jobId,
      attempt,
      outgoing: outgoingOf(job, webhook ?? undefined),
    })
    await ctx.scheduler.runAfter(SUBMISSION_TIMEOUT, internal.submission.attemptSubmission, {
      jobId,
      attempt: attempt + 1,
    })
    return null
  },
})

/** One attempt. */
export const submit = internalAction({
  args: { jobId: v.id('videoJobs'), attempt: v.number(), outgoing },
  returns: v.null(),
  handler: async (ctx, { jobId, attempt, outgoing }) => {
    let externalJobId: string
    try {
      externalJobId = await sendOut(outgoing)
    } catch (error) {
      await ctx.runMutation(internal.submission.submissionFailed, { jobId, attempt, failure: toFailure(error) })
      return null
    }
    // If this fails the next attempt finds the same job under its key.
    await ctx.runMutation(internal.submission.submitted, { jobId, externalJobId })
    return null
  },
})

/** The server has the job. If it has ended here meanwhile, the server is told. */
export const submitted = internalMutation({
  args: { jobId: v.id('videoJobs'), externalJobId: v.string() },
  returns: v.null(),
  handler: async (ctx, { jobId, externalJobId }) => {
    await sayAnswered(ctx)
    const job = await ctx.db.get(jobId)
    if (job === null) {
      await buryStranger(ctx, jobId, externalJobId)
      return null
    }
    if (job.externalJobId !== undefined) return null
    await ctx.db.patch(jobId, { externalJobId, reported: job.attempt })
    if (job.status === 'uploading') {
      const news = { status: 'queued', statusAt: Date.now() } as const
      await ctx.db.patch(jobId, news)
      await announce(ctx, jobId, 'job.queued')
      await scheduleTick(ctx, { ...job, ...news })
    } else if (!(await identify(ctx, jobId, externalJobId))) {
      await bury(ctx, { ...job, externalJobId }, 'cancel')
    }
    return null
  },
})

/** An attempt failed: the next one after a pause, or the end. */
export const submissionFailed = internalMutation({
  args: { jobId: v.id('videoJobs'), attempt: v.number(), failure },
  returns: v.null(),
  handler: async (ctx, { jobId, attempt, failure: { message, code, kind, retryAfter, untaken } }) => {
    const job = await noteReport(ctx, jobId, attempt, untaken)
    if (job === null || job.status !== 'uploading') {
      await submissionEnded(ctx, jobId, untaken)
      return null
    }
    if (job.attempt !== attempt) return null
    const tries = attempt > 1 ? ` (after ${attempt} attempts)` : ''
    const end = { message: `${message}${tries}`, code }
    if (kind === undefined || kind === 'unset') {
      await giveUp(ctx, job, end)
      return null
    }
    await sayRefused(ctx, `get job ${jobId} to the server`, kind, message)
    if (attempt >= job.maxAttempts) {
      await giveUp(ctx, job, end)
      return null
    }
    await ctx.scheduler.runAfter(retryPause(attempt, retryAfter), internal.submission.attemptSubmission, {
      jobId,
      attempt: attempt + 1,
    })
    return null
  },
})

/** Answers the job as it stands with this attempt's report; the report of an attempt that was given up changes nothing. */
async function noteReport(
  ctx: MutationCtx,
  jobId: Id<'videoJobs'>,
  attempt: number,
  untaken: boolean,
): Promise<Doc<'videoJobs'> | null> {
  const job = await ctx.db.get(jobId)
  if (job === null || job.attempt !== attempt) return job
  const news = { reported: attempt, maybeTaken: job.maybeTaken === true || !untaken }
  await ctx.db.patch(jobId, news)
  return { ...job, ...news }
}

/** Where the server shall send the result; null where it cannot, which is said once for the deployment, not for each job. */
async function chooseWebhook(ctx: MutationCtx, job: Doc<'videoJobs'>): Promise<string | null> {
  const address = webhookAddress({
    explicit: job.webhookUrl,
    siteUrl: readSiteUrl(),
    hasSecret: readWebhookSecrets().length > 0,
    jobId: job._id,
  })
  if ('url' in address) return address.url
  await sayOnce(
    ctx,
    `polling: ${address.reason}`,
    `Kinora cannot send results here, because ${address.reason}. The component asks the server for them instead, with growing pauses.`,
  )
  return null
}
