/** A job: one request to make a video, as the wire shows it. */
import * as z from 'zod/mini'

export const JOB_STATUSES = ['queued', 'processing', 'completed', 'failed', 'canceled'] as const
export const JobStatus = z.enum(JOB_STATUSES)
export type JobStatus = z.output<typeof JobStatus>

/** The statuses that are final and never change. */
export const FINAL_STATUSES = ['completed', 'failed', 'canceled'] as const satisfies readonly JobStatus[]
export type FinalStatus = (typeof FINAL_STATUSES)[number]

/** Whether a status is final: no event, and no second result, comes after it. */
export function isFinal(status: JobStatus): status is FinalStatus {
  return (FINAL_STATUSES as readonly JobStatus[]).includes(status)
}

/** What a processing job is at: progress 0-10 fetching the picture, 10-90 generating, 90-100 uploading. */
export const JOB_STAGES = ['fetching', 'generating', 'uploading'] as const
export const JobStage = z.enum(JOB_STAGES)
export type JobStage = z.output<typeof JobStage>

/** Ids that may stand in a path and in an object's key; BullMQ allows neither `:` nor plain integers. */
export const Id = z
  .string()
  .check(
    z.regex(/^(?!\d+$)[A-Za-z0-9_-]{1,128}$/, 'must be 1 to 128 letters, digits, "_" or "-", and not a plain number'),
  )

/** ISO 8601 in UTC, with milliseconds. */
export const Timestamp = z.iso.datetime()

/** How the delivery of a job's webhook stands. */
export const WebhookState = z.object({
  status: z.enum(['pending', 'delivered', 'failed']),
  /** Attempts made so far. */
  attempts: z.int(),
  /** Why the last attempt failed: "HTTP 500", "timed out after 20 s". */
  last_error: z.optional(z.string()),
  last_attempt_at: z.optional(Timestamp),
})
export type WebhookState = z.output<typeof WebhookState>

export const Job = z.object({
  job_id: Id,
  status: JobStatus,
  /** 0..100. */
  progress: z.optional(z.number().check(z.minimum(0), z.maximum(100))),
  stage: z.optional(JobStage),
  /** The video, once completed: a public URL or a signed one, made anew for each answer. */
  result_url: z.optional(z.url()),
  /** A still of the video as JPEG. */
  poster_url: z.optional(z.url()),
  /** For people, with `failed`. */
  error_message: z.optional(z.string()),
  /** For programs, with `failed` and `canceled`. */
  error_code: z.optional(z.string()),
  created_at: Timestamp,
  /** When the first attempt began. */
  started_at: z.optional(Timestamp),
  /** When the job ended, well or badly. */
  completed_at: z.optional(Timestamp),
  /** When somebody asked to cancel it. */
  canceled_at: z.optional(Timestamp),
  /** The public name of the model: `ltx-video`, `camera`. */
  model: z.string(),
  /** 0 before the first attempt, then 1..3. */
  attempt: z.int(),
  /** Jobs ahead in the queue, where that is cheap to know. */
  queue_position: z.optional(z.int()),
  /** Something the user should know while waiting: that no worker serves this model at present. */
  notice: z.optional(z.string()),
  webhook: z.optional(WebhookState),

  // The settings: those of the request at first, those really used once a worker has the picture.
  prompt: z.optional(z.string()),
  negative_prompt: z.optional(z.string()),
  /** Seconds. */
  duration: z.int(),
  seed: z.int(),
  width: z.optional(z.int()),
  height: z.optional(z.int()),
  fps: z.optional(z.int()),
  num_frames: z.optional(z.int()),
  steps: z.optional(z.int()),
  guidance_scale: z.optional(z.number()),
})
export type Job = z.output<typeof Job>

/** `GET /api/v1/jobs`: newest first. */
export const JobList = z.object({
  jobs: z.array(Job),
  /** Pass it as `cursor` for the next page; null on the last one. */
  next_cursor: z.nullable(z.string()),
})
export type JobList = z.output<typeof JobList>
