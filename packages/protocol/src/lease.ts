/** Leases: how a worker claims a job, keeps it, and ends it. Authorised by the worker token, never by an API key. */
import * as z from 'zod/mini'
import { explained } from './explain.ts'
import { Id, JobStage, JobStatus, Timestamp } from './job.ts'
import { RequestedSettings, ResolvedSettings } from './settings.ts'

/** Seconds a claim waits for work before it is answered 204. */
export const MAX_LEASE_WAIT = 25

/** `POST /api/v1/leases`. */
export const LeaseRequest = z.object(
  {
    model: z.string(explained),
    /** A name for logs: host and process. */
    worker: z.string(explained).check(z.minLength(1, explained), z.maxLength(200, explained)),
    /** Seconds to wait for work, 0..25. */
    wait: z._default(
      z.number(explained).check(z.minimum(0, explained), z.maximum(MAX_LEASE_WAIT, explained)),
      MAX_LEASE_WAIT,
    ),
  },
  explained,
)
export type LeaseRequest = z.input<typeof LeaseRequest>

/** A presigned PUT: send the bytes with exactly these headers. */
export const PutTarget = z.object(
  { url: z.url(explained), headers: z.record(z.string(explained), z.string(explained), explained) },
  explained,
)
export type PutTarget = z.output<typeof PutTarget>

/** A worker's right to work on one job until the deadline. */
export const Lease = z.object(
  {
    /** A secret: whoever holds it may end the job. */
    lease_id: z.uuid(explained),
    job_id: Id,
    model: z.string(explained),
    /** 1 for the first. */
    attempt: z.int(explained),
    /** When the lease ends unless a heartbeat extends it. */
    deadline: Timestamp,
    /** Seconds from one heartbeat to the next, well within the deadline. */
    heartbeat_interval: z.number(explained),
    settings: RequestedSettings,
    /** The picture, in the server's own storage. */
    image_url: z.url(explained),
    uploads: z.object({ video: PutTarget, poster: PutTarget }, explained),
  },
  explained,
)
export type Lease = z.output<typeof Lease>

/** `POST /api/v1/leases/:id/heartbeat`. */
export const HeartbeatRequest = z.object(
  {
    /** 0..100, for the whole job. */
    progress: z.number(explained).check(z.minimum(0, explained), z.maximum(100, explained)),
    stage: JobStage,
    /** Told once they are known. */
    settings: z.optional(ResolvedSettings),
  },
  explained,
)
export type HeartbeatRequest = z.input<typeof HeartbeatRequest>

export const Heartbeat = z.object(
  {
    /** True when the job was canceled: stop, and report it with `/fail` and `error_code: "canceled"`. */
    cancel: z.boolean(explained),
    deadline: Timestamp,
  },
  explained,
)
export type Heartbeat = z.output<typeof Heartbeat>

/** `POST /api/v1/leases/:id/complete`: the video and poster lie where the lease said. Repeating it is safe. */
export const CompleteRequest = z.object({ settings: z.optional(ResolvedSettings) }, explained)
export type CompleteRequest = z.input<typeof CompleteRequest>

/** `POST /api/v1/leases/:id/fail`. */
export const FailRequest = z.object(
  {
    error: z.string(explained).check(z.minLength(1, explained), z.maxLength(4000, explained)),
    error_code: z._default(z.string(explained).check(z.maxLength(100, explained)), 'engine_error'),
    /** Whether another attempt could help: false for a picture or settings that can never work. */
    retryable: z._default(z.boolean(explained), true),
  },
  explained,
)
export type FailRequest = z.input<typeof FailRequest>

/** The answer to complete, fail and release: how the job stands now (`queued` when it will be tried again). */
export const LeaseEnd = z.object({ job_id: Id, status: JobStatus }, explained)
export type LeaseEnd = z.output<typeof LeaseEnd>
