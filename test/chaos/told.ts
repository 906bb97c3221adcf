/** What clients, workers and webhook receivers were told, and what was broken meanwhile: all that the checker knows. */
import type { Job } from '@kinora/protocol'

/** A job as somebody was told it. */
export interface Sighting {
  /** Who: one stream, or one client that asks again and again. */
  readonly observer: string
  /** When the question was asked and when the answer had come, in milliseconds of this process. Equal for what a stream brings. */
  readonly began: number
  readonly ended: number
  readonly job: Pick<
    Job,
    'job_id' | 'status' | 'attempt' | 'progress' | 'completed_at' | 'error_code' | 'error_message'
  >
}

/** A request that was answered 201. */
export interface Acceptance {
  readonly tenant: string
  readonly idempotencyKey: string
  readonly jobId: string
  /** Whether it named a webhook_url. */
  readonly webhook: boolean
}

/** A claim that was answered with a lease, as the proxy saw it pass. */
export interface LeaseSeen {
  readonly leaseId: string
  readonly jobId: string
  readonly attempt: number
  readonly worker: string
  readonly began: number
  /** When the lease was reported to be over. */
  ended?: number
  /** How: the worker's last word, and the server's answer to it. */
  outcome?: { readonly word: 'complete' | 'fail' | 'release'; readonly status: string }
}

export interface MessageSeen {
  readonly webhookId: string
  readonly type: string
  readonly jobId: string
  readonly data: Pick<Job, 'job_id' | 'status' | 'completed_at'>
}

/** Something that was done to a worker, its child, its ffmpeg, or to the storage while it worked. */
export interface Harm {
  readonly what: string
  readonly jobId: string
  readonly attempt: number
}

export interface Told {
  readonly acceptances: readonly Acceptance[]
  readonly sightings: readonly Sighting[]
  readonly leases: readonly LeaseSeen[]
  readonly messages: readonly MessageSeen[]
  /** Messages whose signature or body was wrong. */
  readonly refusedMessages: readonly string[]
  readonly harms: readonly Harm[]
  /** Jobs whose DELETE was answered with 2xx or 404. */
  readonly deleted: ReadonlySet<string>
  /** Keys that lie in the storage when all is over. */
  readonly objects: readonly string[]
  /** Ids of the videos that were fetched and found whole. */
  readonly whole: ReadonlySet<string>
}
