/** What the server writes down about a job beside the queue: who asked for what, how it ended, who holds it. */
import type {
  AskedSettings,
  Job,
  JobStage,
  Metadata,
  RequestedSettings,
  ResolvedSettings,
  WebhookState,
} from '@kinora/protocol'
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

/** A record, what workers said of the job, and how it ended, if it has. */
export interface HistoryEntry {
  readonly record: JobRecord
  /** The outcome: set once, by the store. */
  readonly final?: FinalSnapshot | undefined
  readonly webhook?: WebhookState | undefined
  readonly report?: WorkerReport | undefined
}

/** The last snapshot, without signed URLs: `result_url` and `poster_url` are made anew from the object keys. */
export interface FinalSnapshot {
  readonly job: Job
  /** Where the video and its still lie in the storage, or a URL that an outside worker gave. */
  readonly video?: { readonly key: string } | { readonly url: string } | undefined
  readonly poster_key?: string | undefined
  /** Who held the job at its end, so that a repeated report is known as such. */
  readonly lease_id?: string | undefined
  /** Milliseconds since 1970, by the store's clock. */
  readonly finished_at: number
}

/** The outcome as the store dates it, whose clock alone counts. */
export function datedFinal(final: FinalSnapshot, endedAt: number): FinalSnapshot {
  const moment = new Date(endedAt).toISOString()
  const { canceled_at, ...job } = final.job
  return {
    ...final,
    job: { ...job, completed_at: moment, ...(canceled_at === undefined ? {} : { canceled_at: moment }) },
    finished_at: endedAt,
  }
}

/** What the holder of a lease said about the video. Each part replaces what was said before. */
export interface WorkerReport {
  readonly lease_id: string
  readonly settings?: ResolvedSettings | undefined
  /** For people: what was left aside, changed or cut. */
  readonly notices?: readonly string[] | undefined
}

/** Who holds which job, written once when it is claimed. */
export interface LeaseRecord {
  readonly lease_id: string
  readonly job_id: string
  readonly tenant: string
  readonly model: string
  readonly worker: string
  /** 1 for the first. */
  readonly attempt: number
  /** When the first attempt began, milliseconds since 1970. */
  readonly started_at: number
  readonly before: Before
}

/** What had become of the attempts before a claim: see attempts.ts. */
export interface Before {
  /** BullMQ's count of reported failures. */
  readonly made: number
  /** BullMQ's count of dead leases. */
  readonly stalled: number
  /** Dead leases that never spoke: they cost no attempt. */
  readonly silent: number
  /** As many of them came one after the other, up to now. */
  readonly silent_in_row: number
}

/** Written by the claim, then by heartbeats: BullMQ's progress of a job. */
export interface VideoProgress {
  readonly lease_id: string
  /** 1 for the first. */
  readonly attempt: number
  /** When the first attempt began, milliseconds since 1970. */
  readonly started_at: number
  readonly progress?: number | undefined
  readonly stage?: JobStage | undefined
  /** Of servers before 0.2, which kept them here. */
  readonly settings?: ResolvedSettings | undefined
  readonly notices?: readonly string[] | undefined
  /** Whether the holder has said a word since the claim. Absent: of a server before 0.2, which did not tell. */
  readonly spoke?: boolean | undefined
  readonly before?: Before | undefined
}

/** The place of an entry in a tenant's list. */
export interface ListCursor {
  readonly created_at: number
  readonly job_id: string
}
