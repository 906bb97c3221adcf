/** What the server writes down about a job beside the queue: who asked for what, how it ended, who holds it. */
import type { AskedSettings, Job, Metadata, RequestedSettings, WebhookState } from '@kinora/protocol'
import type { JobPicture } from './picture.ts'

/** What stays the same about a job from its acceptance on. */
export interface JobRecord {
  readonly job_id: string
  readonly tenant: string
  readonly model: string
  /** Milliseconds since 1970. */
  readonly created_at: number
  /** Of the request, for the comparison of repeated ones. Absent without an idempotency key. */
  readonly request_hash?: string | undefined
  readonly settings: RequestedSettings
  /** The settings as they were asked for, without the seed that was drawn. Absent in jobs of servers before 0.2. */
  readonly requested?: AskedSettings | undefined
  /** The tenant's own. */
  readonly metadata?: Metadata | undefined
  /** Absent in jobs of servers before 0.2, whose pictures are named in BullMQ's data alone. */
  readonly pictures?: readonly JobPicture[] | undefined
  readonly webhook_url?: string | undefined
}

/** A record and how it ended, if it has. */
export interface HistoryEntry {
  readonly record: JobRecord
  /** The last snapshot, without signed URLs: `result_url` and `poster_url` are made anew from the object keys. */
  readonly final?: FinalSnapshot | undefined
  readonly webhook?: WebhookState | undefined
}

export interface FinalSnapshot {
  readonly job: Job
  /** Where the video and its still lie in the storage, or a URL that an outside worker gave. */
  readonly video?: { readonly key: string } | { readonly url: string } | undefined
  readonly poster_key?: string | undefined
  /** Milliseconds since 1970. */
  readonly finished_at: number
}

export interface LeaseRecord {
  readonly lease_id: string
  readonly job_id: string
  readonly model: string
  readonly worker: string
}

/** The place of an entry in a tenant's list. */
export interface ListCursor {
  readonly created_at: number
  readonly job_id: string
}
