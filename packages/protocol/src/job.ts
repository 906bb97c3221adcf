/** A job: one request to make a video, as the wire shows it. */
import * as z from 'zod/mini'
import { Id } from './id.ts'
import { PlacedImage } from './images.ts'
import { Metadata } from './metadata.ts'
import { AskedSettings, toldFields } from './settings.ts'
import { JOB_STATUSES } from './status.ts'

export const JobStatus = z.enum(JOB_STATUSES)
export type JobStatus = z.output<typeof JobStatus>

/** What a job is at: fetching its pictures (before a worker has it, and progress 0-10), 10-90 generating, 90-100 uploading. */
export const JOB_STAGES = ['fetching', 'generating', 'uploading'] as const
export const JobStage = z.enum(JOB_STAGES)
export type JobStage = z.output<typeof JobStage>

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
  /** What is being waited for, in words: that no worker serves this model at present. */
  notice: z.optional(z.string()),
  webhook: z.optional(WebhookState),

  /** Sentences for people about what was left aside, changed or cut, from server and worker: "steps: 20 was left aside". */
  notices: z.optional(z.array(z.string())),
  /** The settings exactly as they were asked for, to repeat the job faithfully; the job's own fields tell what was used. */
  requested: z.optional(AskedSettings),
  /** The first picture, as a signed URL made anew for each answer. */
  picture_url: z.optional(z.url()),
  /** All pictures with their places, where there are more than the first one. */
  images: z.optional(z.array(PlacedImage)),
  /** The request's own, unchanged. */
  metadata: z.optional(Metadata),

  // The settings: those of the request at first, those really used once a worker has the picture.
  ...toldFields,
})
export type Job = z.output<typeof Job>

/** `GET /api/v1/jobs`: newest first. */
export const JobList = z.object({
  jobs: z.array(Job),
  /** Pass it as `cursor` for the next page; null on the last one. */
  next_cursor: z.nullable(z.string()),
})
export type JobList = z.output<typeof JobList>
