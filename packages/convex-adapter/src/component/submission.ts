/**
 * Getting a job to the server. A mutation is the clock: it begins each attempt and, before that, the attempt after it, because Convex runs a
 * scheduled mutation exactly once but an action at most once. Attempts share an idempotency key, so they make one video.
 */
import { type Infer, v } from 'convex/values'
import { internal } from './_generated/api.ts'
import type { Doc } from './_generated/dataModel.ts'
import { internalAction, internalMutation, type MutationCtx } from './_generated/server.ts'
import { isPublicUrl, webhookAddress } from './addresses.ts'
import { announce } from './callbacks.ts'
import { settle } from './completion.ts'
import { readServerAccess, readSiteUrl, readWebhookSecrets, SetupError } from './environment.ts'
import { imageDelivery, settings } from './job.ts'
import { pollPause, retryPause, SUBMISSION_TIMEOUT } from './pauses.ts'
import { fetchImage, ServerError, submitJob } from './server.ts'

const request = v.object({
  imageUrl: v.string(),
  imageDelivery,
  prompt: v.optional(v.string()),
  duration: v.number(),
  settings,
  webhookUrl: v.optional(v.string()),
  idempotencyKey: v.string(),
})

/** Begins attempt `attempt`, unless the job is past it. */
export const attemptSubmission = internalMutation({
  args: { jobId: v.id('videoJobs'), attempt: v.number() },
  returns: v.null(),
  handler: async (ctx, { jobId, attempt }) => {
    const job = await ctx.db.get(jobId)
    if (job === null || job.status !== 'uploading' || job.attempt !== attempt - 1) return null
    if (attempt > job.maxAttempts) {
      await settle(ctx, job, {
        status: 'failed',
        message: `Kinora did not accept the job in ${job.maxAttempts} attempts; the last one never came back.`,
        code: 'submission_failed',
      })
      return null
    }
    await ctx.db.patch(jobId, { attempt })
    const webhook = await chooseWebhook(ctx, job)
    await ctx.scheduler.runAfter(0, internal.submission.submit, {
      jobId,
      attempt,
      request: {
        imageUrl: job.sourceImageUrl,
        imageDelivery: job.imageDelivery,
        duration: job.durationSeconds,
        settings: job.settings,
        // An id is unique in one deployment only; the time makes the key so for a server that serves several.
        idempotencyKey: `convex-${job._id}-${Math.floor(job._creationTime)}`,
        ...(job.prompt === undefined ? {} : { prompt: job.prompt }),
        ...(webhook === undefined ? {} : { webhookUrl: webhook }),
      },
    })
    await ctx.scheduler.runAfter(SUBMISSION_TIMEOUT, internal.submission.attemptSubmission, {
      jobId,
      attempt: attempt + 1,
    })
    return null
  },
})

/** One attempt: the picture by URL where the server can reach it, as bytes where it cannot. */
export const submit = internalAction({
  args: { jobId: v.id('videoJobs'), attempt: v.number(), request },
  returns: v.null(),
  handler: async (ctx, { jobId, attempt, request }) => {
    let externalJobId: string
    try {
      externalJobId = await send(request)
    } catch (error) {
      await ctx.runMutation(internal.submission.submissionFailed, {
        jobId,
        attempt,
        message: error instanceof Error ? error.message : String(error),
        code: error instanceof ServerError ? error.code : 'submission_failed',
        // What nobody foresaw may pass, too; only a refusal and a missing set-up are certain to stay.
        retryable: error instanceof ServerError ? error.retryable : !(error instanceof SetupError),
        retryAfter: error instanceof ServerError ? error.retryAfter : 0,
      })
      return null
    }
    // If this fails the next attempt finds the same job under its key.
    await ctx.runMutation(internal.submission.submitted, {
      jobId,
      externalJobId,
      hasWebhook: request.webhookUrl !== undefined,
    })
    return null
  },
})

/** Answers the server's id of the job. */
async function send({ imageUrl, imageDelivery, ...submission }: Infer<typeof request>): Promise<string> {
  const access = readServerAccess()
  const byUrl = imageDelivery === 'url' || (imageDelivery === 'auto' && isPublicUrl(imageUrl))
  const image = byUrl ? { url: imageUrl } : { bytes: await fetchImage(imageUrl) }
  const { job_id } = await submitJob(access, { ...submission, image })
  return job_id
}

/** The server has the job. If it was canceled or removed here meanwhile, the server is told. */
export const submitted = internalMutation({
  args: { jobId: v.id('videoJobs'), externalJobId: v.string(), hasWebhook: v.boolean() },
  returns: v.null(),
  handler: async (ctx, { jobId, externalJobId, hasWebhook }) => {
    const job = await ctx.db.get(jobId)
    if (job === null) {
      await ctx.scheduler.runAfter(0, internal.remote.removeRemote, { externalJobId, attempt: 1 })
      return null
    }
    if (job.externalJobId !== undefined) return null
    await ctx.db.patch(jobId, { externalJobId })
    if (job.status === 'uploading') {
      await ctx.db.patch(jobId, { status: 'queued' })
      await announce(ctx, jobId, 'job.queued')
      await ctx.scheduler.runAfter(pollPause(0, hasWebhook), internal.polling.tick, { jobId, poll: 0, hasWebhook })
    } else {
      // It ended here before the server took it.
      await ctx.scheduler.runAfter(0, internal.remote.cancelRemote, { externalJobId, attempt: 1 })
    }
    return null
  },
})

/** An attempt failed: the next one after a pause, or the end. */
export const submissionFailed = internalMutation({
  args: {
    jobId: v.id('videoJobs'),
    attempt: v.number(),
    message: v.string(),
    code: v.string(),
    retryable: v.boolean(),
    retryAfter: v.number(),
  },
  returns: v.null(),
  handler: async (ctx, { jobId, attempt, message, code, retryable, retryAfter }) => {
    const job = await ctx.db.get(jobId)
    if (job === null || job.status !== 'uploading' || job.attempt !== attempt) return null
    if (!retryable || attempt >= job.maxAttempts) {
      const tries = attempt > 1 ? ` (after ${attempt} attempts)` : ''
      await settle(ctx, job, { status: 'failed', message: `${message}${tries}`, code })
      return null
    }
    await ctx.scheduler.runAfter(retryPause(attempt, retryAfter), internal.submission.attemptSubmission, {
      jobId,
      attempt: attempt + 1,
    })
    return null
  },
})

/** Where the server shall send the result. Where it cannot, that is said once for the deployment, not for each job. */
async function chooseWebhook(ctx: MutationCtx, job: Doc<'videoJobs'>): Promise<string | undefined> {
  const address = webhookAddress({
    explicit: job.webhookUrl,
    siteUrl: readSiteUrl(),
    hasSecret: readWebhookSecrets().length > 0,
    jobId: job._id,
  })
  if ('url' in address) return address.url
  const name = `polling: ${address.reason}`
  const said = await ctx.db
    .query('notices')
    .withIndex('by_name', (q) => q.eq('name', name))
    .first()
  if (said === null) {
    await ctx.db.insert('notices', { name })
    console.warn(
      `Kinora cannot send results here, because ${address.reason}. The component asks the server for them instead, with growing pauses.`,
    )
  }
  return undefined
}
