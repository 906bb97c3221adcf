/** What a video job is: validators of its parts, and how the app sees it. */
import { type Infer, type Validator, v } from 'convex/values'

/** `uploading` until the server has accepted the job; the last three are final and never change. */
export const jobStatus = v.union(
  v.literal('uploading'),
  v.literal('queued'),
  v.literal('processing'),
  v.literal('completed'),
  v.literal('failed'),
  v.literal('canceled'),
)
export type JobStatus = Infer<typeof jobStatus>

/** The statuses of jobs that have not ended. */
export const OPEN_STATUSES = ['uploading', 'queued', 'processing'] as const satisfies readonly JobStatus[]

/** Whether a status is final. */
export function isFinal(status: JobStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'canceled'
}

export const jobStage = v.union(v.literal('fetching'), v.literal('generating'), v.literal('uploading'))

/** How a picture of the app's storage goes to the server: by URL, as bytes, or by URL where that URL is public and as bytes where it is not. */
export const imageDelivery = v.union(v.literal('auto'), v.literal('url'), v.literal('bytes'))
export type ImageDelivery = Infer<typeof imageDelivery>

/** The settings of a video beside prompt and duration, as the wire names them. */
export const settings = v.object({
  negative_prompt: v.optional(v.string()),
  model: v.optional(v.string()),
  seed: v.optional(v.number()),
  width: v.optional(v.number()),
  height: v.optional(v.number()),
  fps: v.optional(v.number()),
  steps: v.optional(v.number()),
  guidance_scale: v.optional(v.number()),
})
export type Settings = Infer<typeof settings>

/** All that a submission needs; it outlives the job's row where a removed job may still be on the server. */
export const outgoing = v.object({
  imageUrl: v.string(),
  /** Whether the picture lies in the app's storage. Only such a picture is read here; other URLs are the server's to fetch, behind its guard. */
  isStored: v.boolean(),
  imageDelivery,
  prompt: v.optional(v.string()),
  duration: v.number(),
  settings,
  webhookUrl: v.optional(v.string()),
  idempotencyKey: v.string(),
})
export type Outgoing = Infer<typeof outgoing>

/** What became of a job here that the server shall do as well. */
export const want = v.union(v.literal('cancel'), v.literal('remove'))
export type Want = Infer<typeof want>

const jobFields = {
  _id: v.string(),
  _creationTime: v.number(),
  userId: v.string(),
  sourceImageId: v.optional(v.string()),
  prompt: v.optional(v.string()),
  durationSeconds: v.number(),
  settings,
  status: jobStatus,
  /** The server's id of this job. */
  externalJobId: v.optional(v.string()),
  /** The video; a signed URL may have run out after a while, see `Kinora.videoUrl`. */
  outputVideoUrl: v.optional(v.string()),
  /** A still of the video. */
  posterUrl: v.optional(v.string()),
  /** For people, with `failed`. */
  errorMessage: v.optional(v.string()),
  /** For programs, with `failed` and `canceled`. */
  errorCode: v.optional(v.string()),
  /** Milliseconds since 1970. */
  createdAt: v.number(),
  completedAt: v.optional(v.number()),
  /** The copy in the app's own storage, where one was asked for. */
  videoStorageId: v.optional(v.string()),
  /** Why there is no copy. */
  storeError: v.optional(v.string()),
  /** What the app's `onComplete` threw, after all attempts at calling it. */
  callback_error: v.optional(v.string()),
  /** 0..100; only of a single job, and only while it is not final. */
  progress: v.optional(v.number()),
  stage: v.optional(jobStage),
  queuePosition: v.optional(v.number()),
  notice: v.optional(v.string()),
}

/** A job as queries and callbacks show it. */
export const videoJob = v.object({ ...jobFields, context: v.optional(v.any()) })
export type VideoJob = Infer<typeof videoJob>

/** The same for an app that says what its users and its `context` are. */
export function videoJobFor<
  UserId extends Validator<string, 'required', string>,
  Context extends Validator<unknown, 'required', string>,
>({ userId, context }: { userId: UserId; context: Context }) {
  return v.object({ ...jobFields, userId, context })
}

/** What can happen to a job. The three final events have the wire's names. */
export const eventType = v.union(
  v.literal('job.queued'),
  v.literal('job.processing'),
  v.literal('job.progress'),
  v.literal('job.completed'),
  v.literal('job.failed'),
  v.literal('job.canceled'),
)
export type EventType = Infer<typeof eventType>
