/** Asking the server how a job stands: for progress, for results that no webhook brought, and instead of webhooks where there can be none. */
import { v } from 'convex/values'
import { internal } from './_generated/api.ts'
import type { Doc } from './_generated/dataModel.ts'
import { internalAction, internalMutation, type MutationCtx } from './_generated/server.ts'
import { announce } from './callbacks.ts'
import { giveUp, keepNotices, settle } from './completion.ts'
import { defined } from './defined.ts'
import { readServerAccess } from './environment.ts'
import { isFinal, jobStage, wireStatus } from './job.ts'
import { sayAnswered, sayRefused } from './notices.ts'
import { JOB_LIMIT, pollPause, RESULT_LIMIT, UNREACHABLE_LIMIT } from './pauses.ts'
import { failure, toFailure } from './refusals.ts'
import { readJob, type RemoteJob } from './server.ts'
import { findProgress } from './view.ts'

/** The clock of one job: asks, and sets itself for the next time, until the job has ended or is removed. */
export const tick = internalMutation({
  args: { jobId: v.id('videoJobs') },
  returns: v.null(),
  handler: async (ctx, { jobId }) => {
    const job = await ctx.db.get(jobId)
    if (job === null || isFinal(job.status) || job.externalJobId === undefined) return null
    if (Date.now() - job.createdAt > JOB_LIMIT) {
      await giveUp(ctx, job, { message: 'The job did not end within seven days.', code: 'timed_out' })
      return null
    }
    await ctx.scheduler.runAfter(0, internal.polling.poll, { jobId, externalJobId: job.externalJobId })
    await scheduleTick(ctx, job)
    return null
  },
})

/** Sets the clock of a job for the next time. */
export async function scheduleTick(ctx: MutationCtx, job: Doc<'videoJobs'>): Promise<void> {
  const pause = pollPause(Date.now() - (job.statusAt ?? job.createdAt), typeof job.sentWebhook === 'string')
  await ctx.scheduler.runAfter(pause, internal.polling.tick, { jobId: job._id })
}

/** Asks once. */
export const poll = internalAction({
  args: { jobId: v.id('videoJobs'), externalJobId: v.string() },
  returns: v.null(),
  handler: async (ctx, { jobId, externalJobId }) => {
    let job: RemoteJob
    try {
      job = await readJob(readServerAccess(), externalJobId)
    } catch (error) {
      await ctx.runMutation(internal.polling.recordSilence, { jobId, failure: toFailure(error) })
      return null
    }
    await ctx.runMutation(internal.polling.recordAnswer, { jobId, answer: toAnswer(job) })
    return null
  },
})

const answer = v.object({
  status: wireStatus,
  progress: v.number(),
  stage: v.optional(jobStage),
  queuePosition: v.optional(v.number()),
  notice: v.optional(v.string()),
  notices: v.optional(v.array(v.string())),
  videoUrl: v.optional(v.string()),
  posterUrl: v.optional(v.string()),
  error: v.optional(v.string()),
  code: v.optional(v.string()),
})

/** What the server said. An answer that comes after the job's end changes nothing. */
export const recordAnswer = internalMutation({
  args: { jobId: v.id('videoJobs'), answer },
  returns: v.null(),
  handler: async (ctx, { jobId, answer }) => {
    const job = await ctx.db.get(jobId)
    if (job === null || isFinal(job.status)) return null
    await sayAnswered(ctx)
    await keepNotices(ctx, job, answer.notices)
    if (job.unreachableSince !== undefined) await ctx.db.patch(jobId, { unreachableSince: undefined })

    if (answer.status === 'canceled') await settle(ctx, job, { status: 'canceled' })
    else if (answer.status === 'failed')
      await settle(ctx, job, {
        status: 'failed',
        message: answer.error ?? 'The video could not be made.',
        code: answer.code,
      })
    else if (answer.status === 'completed') {
      if (answer.videoUrl === undefined) await waitForResult(ctx, job)
      else await settle(ctx, job, { status: 'completed', videoUrl: answer.videoUrl, posterUrl: answer.posterUrl })
    } else {
      if (job.status !== answer.status) await ctx.db.patch(jobId, { status: answer.status, statusAt: Date.now() })
      const { progress, stage, queuePosition, notice } = answer
      const row = await findProgress(ctx, jobId)
      const changed =
        row === null ||
        Math.floor(row.progress) !== Math.floor(progress) ||
        row.stage !== stage ||
        row.queuePosition !== queuePosition ||
        row.notice !== notice
      if (changed) {
        const news = { jobId, progress, ...defined({ stage, queuePosition, notice }) }
        if (row === null) await ctx.db.insert('progress', news)
        else await ctx.db.replace(row._id, news)
      }
      if (job.status !== answer.status) await announce(ctx, jobId, `job.${answer.status}`)
      else if (changed && answer.status === 'processing') await announce(ctx, jobId, 'job.progress')
    }
    return null
  },
})

/** A video that is made has its URL by the next poll, or is gone. */
async function waitForResult(ctx: MutationCtx, job: Doc<'videoJobs'>): Promise<void> {
  const now = Date.now()
  if (job.resultMissingSince === undefined) {
    await ctx.db.patch(job._id, { resultMissingSince: now, statusAt: now })
  } else if (now - job.resultMissingSince > RESULT_LIMIT) {
    await settle(ctx, job, {
      status: 'failed',
      message: 'The server says that the video is made, but not where it is.',
      code: 'result_missing',
    })
  }
}

/** No answer, or the answer that there is no such job. A server that stays silent for a day has lost the job as well. */
export const recordSilence = internalMutation({
  args: { jobId: v.id('videoJobs'), failure },
  returns: v.null(),
  handler: async (ctx, { jobId, failure: { message, code, kind } }) => {
    const job = await ctx.db.get(jobId)
    if (job === null || isFinal(job.status)) return null
    if (code === 'job_not_found') {
      await settle(ctx, job, { status: 'failed', message: 'The server no longer knows this job.', code: 'job_lost' })
      return null
    }
    await sayRefused(ctx, `ask about job ${jobId}`, kind ?? 'foreign', message)
    if (job.unreachableSince === undefined) {
      await ctx.db.patch(jobId, { unreachableSince: Date.now() })
    } else if (Date.now() - job.unreachableSince > UNREACHABLE_LIMIT) {
      await giveUp(ctx, job, { message: `No answer for a day: ${message}`, code: 'server_unreachable' })
    }
    return null
  },
})

function toAnswer(job: RemoteJob) {
  return {
    status: job.status,
    progress: job.progress ?? 0,
    ...defined({
      stage: job.stage,
      queuePosition: job.queue_position,
      notice: job.notice,
      notices: job.notices,
      videoUrl: job.result_url,
      posterUrl: job.poster_url,
      error: job.error_message,
      code: job.error_code,
    }),
  }
}
