/** Tables: the jobs, their progress apart (so that a list is not read anew for each percent), what the server must be told, and what has been said once. */
import { defineSchema, defineTable } from 'convex/server'
import { v } from 'convex/values'
import { imageDelivery, jobStage, jobStatus, outgoing, settings, want } from './job.ts'

export default defineSchema({
  videoJobs: defineTable({
    /** Whoever the app says; the component only compares it. */
    userId: v.string(),
    /** The picture's id in the app's storage, where it came from there. */
    sourceImageId: v.optional(v.string()),
    /** Where the picture's bytes are; none where `settings.images` names the pictures. */
    sourceImageUrl: v.optional(v.string()),
    imageDelivery,
    prompt: v.optional(v.string()),
    durationSeconds: v.number(),
    settings,
    status: jobStatus,
    /** The server's `job_id`, once it has accepted the job. */
    externalJobId: v.optional(v.string()),
    outputVideoUrl: v.optional(v.string()),
    posterUrl: v.optional(v.string()),
    /** When both run out, where they do, and when new ones were last asked for. */
    linksExpireAt: v.optional(v.number()),
    linksAskedAt: v.optional(v.number()),
    errorMessage: v.optional(v.string()),
    errorCode: v.optional(v.string()),
    createdAt: v.number(),
    completedAt: v.optional(v.number()),
    /** Handed back to the app's callbacks untouched. */
    context: v.optional(v.any()),

    /** Submissions begun so far; a result of an earlier one is not listened to. */
    attempt: v.number(),
    maxAttempts: v.number(),
    /** The newest submission that came back, whatever came of it. */
    reported: v.optional(v.number()),
    /** The answer to a submission got lost: the server may have the job, under an id that is not known here. */
    maybeTaken: v.optional(v.boolean()),
    /** The webhook that was sent along, null for none: what may be at the server already is never sent again with another one. */
    sentWebhook: v.optional(v.union(v.string(), v.null())),
    /** Where the app wants the webhook, instead of the component's own route. */
    webhookUrl: v.optional(v.string()),
    /** When the status last changed. */
    statusAt: v.optional(v.number()),
    /** Since when the server has not answered. */
    unreachableSince: v.optional(v.number()),
    /** Since when the server says that the video is made, without saying where. */
    resultMissingSince: v.optional(v.number()),

    /** Function handles of the app. */
    onComplete: v.optional(v.string()),
    onEvent: v.optional(v.string()),
    /** The app's function that copies the video into its own storage, and how that stands. */
    storeVideo: v.optional(v.string()),
    storeAttempt: v.optional(v.number()),
    videoStorageId: v.optional(v.string()),
    storeError: v.optional(v.string()),
    notices: v.optional(v.array(v.string())),
    callback_error: v.optional(v.string()),
  })
    .index('by_user', ['userId'])
    .index('by_user_status', ['userId', 'status'])
    .index('by_status', ['status'])
    .index('by_completed', ['completedAt'])
    .index('by_external_job', ['externalJobId']),

  progress: defineTable({
    jobId: v.id('videoJobs'),
    /** 0..100. */
    progress: v.number(),
    stage: v.optional(jobStage),
    /** Jobs ahead in the server's queue. */
    queuePosition: v.optional(v.number()),
    /** Something to tell the user while he waits. */
    notice: v.optional(v.string()),
  }).index('by_job', ['jobId']),

  tombstones: defineTable({
    /** The job here; its row may be gone. */
    jobId: v.id('videoJobs'),
    want,
    externalJobId: v.optional(v.string()),
    /** Where the server's id is not known: the submission, to be sent once more. */
    outgoing: v.optional(outgoing),
    maybeTaken: v.boolean(),
    attempt: v.number(),
  }).index('by_job', ['jobId']),

  notices: defineTable({ name: v.string(), at: v.number() }).index('by_name', ['name']),
})
