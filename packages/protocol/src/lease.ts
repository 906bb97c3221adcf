/** Leases: how a worker claims a job, keeps it, and ends it. Authorised by the worker token, never by an API key. */
import * as z from 'zod/mini'
import { Abilities } from './models.ts'
import { Id } from './id.ts'
import { PlacedImage } from './images.ts'
import { MAX_NOTICE_LENGTH, MAX_NOTICES } from './limits.ts'
import { JobStage, JobStatus, Timestamp } from './job.ts'
import { RequestedSettings, ResolvedSettings } from './settings.ts'

/** Seconds a claim waits for work before it is answered 204. */
export const MAX_LEASE_WAIT = 25

/** `POST /api/v1/leases`. */
export const LeaseRequest = z.object({
  model: z.string(),
  /** A name for logs: host and process. */
  worker: z.string().check(z.minLength(1), z.maxLength(200)),
  /** What this worker's checkpoint can do; the server checks requests for the model against what was announced last. */
  abilities: z.optional(Abilities),
  /** Seconds to wait for work, 0..25. */
  wait: z._default(z.number().check(z.minimum(0), z.maximum(MAX_LEASE_WAIT)), MAX_LEASE_WAIT),
})
export type LeaseRequest = z.input<typeof LeaseRequest>

/** A presigned PUT: send the bytes with exactly these headers. */
export const PutTarget = z.object({ url: z.url(), headers: z.record(z.string(), z.string()) })
export type PutTarget = z.output<typeof PutTarget>

/** A worker's right to work on one job until the deadline. */
export const Lease = z.object({
  /** A secret: whoever holds it may end the job. */
  lease_id: z.uuid(),
  job_id: Id,
  model: z.string(),
  /** 1 for the first. */
  attempt: z.int(),
  /** When the lease ends unless a heartbeat extends it. */
  deadline: Timestamp,
  /** Seconds from one heartbeat to the next, well within the deadline. */
  heartbeat_interval: z.number(),
  settings: RequestedSettings,
  /** The picture at the start, in the server's own storage. */
  image_url: z.url(),
  /** All pictures with their places, in the server's own storage; left out where there is only the one at the start. */
  images: z.optional(z.array(PlacedImage)),
  uploads: z.object({ video: PutTarget, poster: PutTarget }),
})
export type Lease = z.output<typeof Lease>

const notices = z.optional(z.array(z.string().check(z.maxLength(MAX_NOTICE_LENGTH))).check(z.maxLength(MAX_NOTICES)))

/** `POST /api/v1/leases/:id/heartbeat`. */
export const HeartbeatRequest = z.object({
  /** 0..100, for the whole job. */
  progress: z.number().check(z.minimum(0), z.maximum(100)),
  stage: JobStage,
  /** Told once they are known. */
  settings: z.optional(ResolvedSettings),
  /** For people: what was left aside, changed or cut. Each report replaces the one before. */
  notices,
})
export type HeartbeatRequest = z.input<typeof HeartbeatRequest>

export const Heartbeat = z.object({
  /** True when the job was canceled: stop, and report it with `/fail` and `error_code: "canceled"`. */
  cancel: z.boolean(),
  deadline: Timestamp,
})
export type Heartbeat = z.output<typeof Heartbeat>

/** `POST /api/v1/leases/:id/complete`: the video and poster lie where the lease said. Repeating it is safe. */
export const CompleteRequest = z.object({ settings: z.optional(ResolvedSettings), notices })
export type CompleteRequest = z.input<typeof CompleteRequest>

/** `POST /api/v1/leases/:id/fail`. */
export const FailRequest = z.object({
  error: z.string().check(z.minLength(1), z.maxLength(4000)),
  error_code: z._default(z.string().check(z.maxLength(100)), 'engine_error'),
  /** Whether another attempt could help: false for a picture or settings that can never work. */
  retryable: z._default(z.boolean(), true),
})
export type FailRequest = z.input<typeof FailRequest>

/** The answer to complete, fail and release: how the job stands now (`queued` when it will be tried again). */
export const LeaseEnd = z.object({ job_id: Id, status: JobStatus })
export type LeaseEnd = z.output<typeof LeaseEnd>
