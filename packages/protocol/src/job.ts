/** A job: one request to make a video, as the wire shows it. */
import * as z from 'zod/mini'
import { explained } from './explain.ts'
import { JOB_STATUSES } from './status.ts'

export const JobStatus = z.enum(JOB_STATUSES, explained)
export type JobStatus = z.output<typeof JobStatus>

/** What a processing job is at: progress 0-10 fetching the picture, 10-90 generating, 90-100 uploading. */
export const JOB_STAGES = ['fetching', 'generating', 'uploading'] as const
export const JobStage = z.enum(JOB_STAGES, explained)
export type JobStage = z.output<typeof JobStage>

/** Ids that may stand in a path and in an object's key; BullMQ allows neither `:` nor plain integers. */
export const Id = z
  .string(explained)
  .check(
    z.regex(/^(?!\d+$)[A-Za-z0-9_-]{1,128}$/, 'must be 1 to 128 letters, digits, "_" or "-", and not a plain number'),
  )

/** ISO 8601 in UTC, with milliseconds. */
export const Timestamp = z.iso.datetime(explained)

/** How the delivery of a job's webhook stands. */
export const WebhookState = z.object(
  {
    status: z.enum(['pending', 'delivered', 'failed'], explained),
    /** Attempts made so far. */
    attempts: z.int(explained),
    /** Why the last attempt failed: "HTTP 500", "timed out after 20 s". */
    last_error: z.optional(z.string(explained)),
    last_attempt_at: z.optional(Timestamp),
  },
  explained,
)
export type WebhookState = z.output<typeof WebhookState>

export const Job = z.object(
  {
    job_id: Id,
    status: JobStatus,
    /** 0..100. */
    progress: z.optional(z.number(explained).check(z.minimum(0, explained), z.maximum(100, explained))),
    stage: z.optional(JobStage),
    /** The video, once completed: a public URL or a signed one, made anew for each answer. */
    result_url: z.optional(z.url(explained)),
    /** A still of the video as JPEG. */
    poster_url: z.optional(z.url(explained)),
    /** For people, with `failed`. */
    error_message: z.optional(z.string(explained)),
    /** For programs, with `failed` and `canceled`. */
    error_code: z.optional(z.string(explained)),
    created_at: Timestamp,
    /** When the first attempt began. */
    started_at: z.optional(Timestamp),
    /** When the job ended, well or badly. */
    completed_at: z.optional(Timestamp),
    /** When somebody asked to cancel it. */
    canceled_at: z.optional(Timestamp),
    /** The public name of the model: `ltx-video`, `camera`. */
    model: z.string(explained),
    /** 0 before the first attempt, then 1..3. */
    attempt: z.int(explained),
    /** Jobs ahead in the queue, where that is cheap to know. */
    queue_position: z.optional(z.int(explained)),
    /** Something the user should know while waiting: that no worker serves this model at present. */
    notice: z.optional(z.string(explained)),
    webhook: z.optional(WebhookState),

    // The settings: those of the request at first, those really used once a worker has the picture.
    prompt: z.optional(z.string(explained)),
    negative_prompt: z.optional(z.string(explained)),
    /** Seconds. */
    duration: z.int(explained),
    seed: z.int(explained),
    width: z.optional(z.int(explained)),
    height: z.optional(z.int(explained)),
    fps: z.optional(z.int(explained)),
    num_frames: z.optional(z.int(explained)),
    steps: z.optional(z.int(explained)),
    guidance_scale: z.optional(z.number(explained)),
  },
  explained,
)
export type Job = z.output<typeof Job>

/** `GET /api/v1/jobs`: newest first. */
export const JobList = z.object(
  {
    jobs: z.array(Job, explained),
    /** Pass it as `cursor` for the next page; null on the last one. */
    next_cursor: z.nullable(z.string(explained)),
  },
  explained,
)
export type JobList = z.output<typeof JobList>
