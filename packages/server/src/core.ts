/**
 * The server without HTTP: jobs, leases, events and deliveries over a store (BullMQ) and a storage. Routes are thin over this.
 *
 * Everything here throws {@link ApiError} where the caller is to blame or the queue's store is away (`queue_unavailable`, with
 * `retryAfter`), and never waits for a store that is gone.
 */
import type {
  Abilities,
  CompleteRequest,
  CopyResult,
  FailRequest,
  Health,
  HeartbeatRequest,
  Heartbeat,
  Job,
  JobList,
  Lease,
  LeaseEnd,
} from '@kinora/protocol'
import type { Logger } from 'pino'
import type { ImageInfo } from './images/index.ts'
import type { AcceptRequest, Snapshot } from './jobs/request.ts'
import type { GuardedFetch } from './net/index.ts'
import type { Storage } from './storage/index.ts'
import type { StoreDriver } from './stores/store.ts'

export type { AcceptRequest, ImageSource, Snapshot } from './jobs/request.ts'

/** What the core is made of. `createCore` in `create-core.ts` takes it. */
export interface CoreOptions {
  /** From `@kinora/server/redis`, `/postgres` or `/embedded`. */
  readonly store: StoreDriver
  /** The caller closes it, after the core. */
  readonly storage: Storage
  /** The only way a user's URL is reached. The caller closes it, after the core. */
  readonly fetch: GuardedFetch
  /** Throws `ImageError` when bytes are not a picture. */
  readonly inspectImage: (bytes: Uint8Array) => Promise<ImageInfo>
  /** Public names of the models, the default first; at least one. */
  readonly models: readonly string[]
  readonly webhooks: WebhookOptions
  readonly logger: Logger
  /** Seconds a final job stays in the queue. Default 24 h and 7 days. */
  readonly retention?: { readonly completed?: number | undefined; readonly failed?: number | undefined } | undefined
  /** Seconds a lease lives without a heartbeat, at least 1. Default 30. */
  readonly leaseSeconds?: number | undefined
  readonly limits?: LimitOptions | undefined
  /** For tests of bounds: how pictures are fetched. */
  readonly inputs?: InputLimits | undefined
  /** For tests of time-bound things: the delays of repeated deliveries. Default {@link DELIVERY_SCHEDULE}. */
  readonly deliveryDelays?: readonly number[] | undefined
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly clock?: (() => number) | undefined
  /** In /health. */
  readonly version?: string | undefined
}

/** How pictures are fetched: bounds of this process, so `n` processes have `n` times as much. */
export interface InputLimits {
  /** Fetches held at a time, and how many of them one tenant may have. */
  readonly claims?: number
  readonly claimsPerTenant?: number
  /** Pictures fetched at a time, and how many of them for one tenant from one host. */
  readonly fetches?: number
  readonly fetchesPerHost?: number
  /** Milliseconds for one picture. */
  readonly timeout?: number
  /** Milliseconds from one try to the next; their number and one is that of the tries. */
  readonly delays?: readonly number[]
  /** Milliseconds before a picture is looked at again that could not be kept because our own storage or queue is away. */
  readonly whenAway?: number
  /** Milliseconds after which the fetch of a dead process is taken by another. */
  readonly lockDuration?: number
}

/** Limits of one tenant; 0 is none. */
export interface TenantLimits {
  /** Jobs that have not ended. Default 10,000. */
  readonly queued?: number | undefined
  /** Jobs in the line of workers, those that they work on included; others wait outside, `queued`. Default 0. */
  readonly running?: number | undefined
  /** Requests to the API. Default 0. */
  readonly requestsPerMinute?: number | undefined
  /** Bytes of pictures, whether they come in a form, as an upload or by URL. Default 0. */
  readonly bytesPerDay?: number | undefined
}

export interface LimitOptions extends TenantLimits {
  /** Jobs that have not ended, of all tenants. Default 100,000; 0 is no limit. */
  readonly queueTotal?: number | undefined
  /**
   * What is other for this tenant. It is asked with each request, so let it answer from memory.
   * @example of: (tenant) => PLANS.get(tenant)
   */
  readonly of?: ((tenant: string) => TenantLimits | undefined | Promise<TenantLimits | undefined>) | undefined
}

export interface WebhookOptions {
  /** WEBHOOK_SECRET. */
  readonly secret: string
  /** WEBHOOK_SIGNING_SECRET: signs instead of `secret` in single-key mode. */
  readonly signingSecret?: string | undefined
  /**
   * The tenant of the only API key there is. His messages are signed with the secret itself and carry it in `X-Webhook-Secret`, as in the
   * original contract, and `POST /webhook/complete` is open to it. Without: every tenant has a derived secret, and that route is closed.
   */
  readonly singleTenant?: string | undefined
}

/** What a tenant does with jobs. A job of another tenant does not exist: `job_not_found`. */
export interface Jobs {
  /**
   * Takes a job in. Once this has answered, the job is in the queue and survives the process.
   *
   * @returns the job, and whether it had been accepted before under the same idempotency key
   * @throws ApiError `unknown_model`, `upload_not_found`, `idempotency_mismatch`, `too_many_jobs`, `too_many_bytes`, `queue_full`, `queue_unavailable`
   */
  accept(
    tenant: string,
    request: AcceptRequest,
    options?: { readonly idempotencyKey?: string | undefined },
  ): Promise<{ job: Job; repeated: boolean }>
  /** @throws ApiError `job_not_found` */
  get(tenant: string, jobId: string): Promise<Job>
  /** The tenant's jobs, newest first. @throws ApiError `invalid_request` when the cursor is not one of ours */
  list(tenant: string, page: { readonly limit: number; readonly cursor?: string | undefined }): Promise<JobList>
  /** Cancels; a job that has ended already stays as it is and is answered so. @throws ApiError `job_not_found` */
  cancel(tenant: string, jobId: string): Promise<Job>
  /** Cancels, then removes the record, its delivery and its objects. @throws ApiError `job_not_found` */
  remove(tenant: string, jobId: string): Promise<void>
  /**
   * Where the finished video may be had.
   * @param expiresIn seconds a signed URL lives, when the storage has no public one
   * @throws ApiError `job_not_found`, `job_not_completed`, `video_gone`
   */
  videoUrl(tenant: string, jobId: string, options: { readonly expiresIn: number }): Promise<string>
  /**
   * Sends the finished video to a storage of the tenant's.
   * @throws ApiError `job_not_found`, `job_not_completed`, `video_gone`, `payload_too_large`; `invalid_request` for an address that is not to be called;
   *   `copy_failed` where the other storage did not take it
   */
  copyVideo(
    tenant: string,
    jobId: string,
    to: {
      readonly upload_url: string
      readonly method: 'POST' | 'PUT'
      readonly max_bytes?: number | undefined
      readonly signal?: AbortSignal | undefined
    },
  ): Promise<CopyResult>
  /** The original `POST /webhook/complete`: an outside worker's result by URL, for a job of any tenant. Repeating it is safe. @throws ApiError `job_not_found` */
  completeFromOutside(report: {
    readonly job_id: string
    readonly status: 'completed' | 'failed'
    readonly video_url?: string | undefined
    readonly error?: string | undefined
  }): Promise<void>
}

/** What workers do. A lease id is the holder's secret; a late or unknown one is `lease_lost`. */
export interface Leases {
  /**
   * The next job of a model, waiting up to `wait` seconds for one.
   * @returns null when none came in time, or when `signal` ended the wait
   * @throws ApiError `unknown_model`, `queue_unavailable`, `shutting_down`
   */
  claim(options: {
    readonly model: string
    readonly worker: string
    /** What the worker's checkpoint can do. */
    readonly abilities?: Abilities | undefined
    /** Seconds, 0..25. */
    readonly wait: number
    readonly signal?: AbortSignal | undefined
  }): Promise<Lease | null>
  heartbeat(leaseId: string, beat: HeartbeatRequest): Promise<Heartbeat>
  /** @throws ApiError `lease_lost`; `upload_conflict` when no video lies where the lease said */
  complete(leaseId: string, report: CompleteRequest): Promise<LeaseEnd>
  fail(leaseId: string, failure: FailRequest): Promise<LeaseEnd>
  release(leaseId: string): Promise<LeaseEnd>
}

/** Streams of snapshots. They end when `signal` aborts, when the server closes, and a job's own after a final state. */
export interface Events {
  /** One job's snapshots, the present one first unless `lastEventId` is its revision. @throws ApiError `job_not_found` before the first snapshot */
  job(
    tenant: string,
    jobId: string,
    options?: { readonly lastEventId?: string | undefined; readonly signal?: AbortSignal | undefined },
  ): AsyncIterable<Snapshot>
  /** All of a tenant's: the open jobs first, then whatever changes. With `lastEventId` also what ended since. */
  all(
    tenant: string,
    options?: { readonly lastEventId?: string | undefined; readonly signal?: AbortSignal | undefined },
  ): AsyncIterable<Snapshot>
}

/** Uploads. */
export interface Uploads {
  /**
   * Looks at an upload that has arrived, and keeps it only if it is a picture.
   * @param key where it lies: {@link uploadKey}
   * @returns null where nothing is there any more
   * @throws ImageError
   */
  arrived(key: string): Promise<ImageInfo | null>
}

/** The tenants' webhook secrets. */
export interface WebhookSecrets {
  /** The tenant's signing secret, `whsec_…`. */
  of(tenant: string): string
  /** Whether `secret` opens `POST /webhook/complete`: only in single-key mode, compared in constant time. */
  opensWebhookComplete(secret: string): boolean
}

/** Limits that are none of a job's. */
export interface Limits {
  /** Counts a request of the tenant's. @throws ApiError `too_many_requests` */
  request(tenant: string): Promise<void>
}

export interface Core {
  /** Public names of the models, the default first. */
  readonly models: readonly string[]
  /** What a model's workers announced last, or what it is known to do; undefined while nobody has said. Never throws. */
  abilitiesOf(model: string): Promise<Abilities | undefined>
  /** Whether a worker has asked for a model's jobs lately. Never throws: the last known answer counts. */
  isServed(model: string): Promise<boolean>
  readonly jobs: Jobs
  readonly leases: Leases
  readonly events: Events
  readonly uploads: Uploads
  readonly webhookSecrets: WebhookSecrets
  readonly limits: Limits
  /** Never throws and never hangs: `redis` is `"ok"` or says what is wrong; counts are the last known ones then. */
  health(): Promise<Health>
  /** Stops claims and streams, lets deliveries finish for a moment, closes the store. Idempotent. */
  close(): Promise<void>
}
