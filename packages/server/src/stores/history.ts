/**
 * What BullMQ does not answer: who a job belongs to, a tenant's list, the snapshots of jobs that BullMQ has dropped, who holds which lease,
 * and whose turn it is.
 */
import type { Abilities, WebhookState } from '@kinora/protocol'
import type { HistoryEntry, JobRecord, LeaseRecord, ListCursor, WorkerReport } from '../jobs/record.ts'

export interface History {
  /**
   * Writes the record unless there is one of this id, and draws the job's priority, 1..2097151: the tenant's virtual time, so that tenants
   * take turns however many jobs one of them sends. One round trip.
   *
   * @param room what limits it; a record that is there already is not limited
   * @returns the entry as it stands, its priority, and whether this call created it; or what there was no room in, and then nothing was written
   */
  register(record: JobRecord, room?: Room): Promise<Registered | NoRoom>
  /** Tells the fair order that a job of this priority has been claimed. */
  claimed(model: string, priority: number): Promise<void>
  /** Starts the virtual time anew once it has gone past `above`; only to be called while nothing of the model waits. */
  resetTurns(model: string, above: number): Promise<void>

  get(jobId: string): Promise<HistoryEntry | null>
  /** A tenant's entries, newest first, `limit` of them from after the cursor on. */
  list(
    tenant: string,
    page: { readonly limit: number; readonly after?: ListCursor | undefined },
  ): Promise<HistoryEntry[]>
  /** Ids of jobs without a final snapshot, oldest first: of one tenant, or of all. */
  open(options: { readonly tenant?: string | undefined; readonly limit: number }): Promise<string[]>
  /** Ids of jobs that ended at or after this moment (milliseconds), oldest first: of one tenant, or of all. */
  endedSince(
    moment: number,
    options: { readonly tenant?: string | undefined; readonly limit: number },
  ): Promise<string[]>
  setWebhook(jobId: string, state: WebhookState): Promise<void>
  /** Keeps what the holder of a lease said, instead of what was said before. */
  report(jobId: string, report: WorkerReport): Promise<void>
  remove(jobId: string): Promise<void>

  /**
   * Lets jobs of a tenant go into the line of workers, while there are fewer than so many there that have not ended; the one that has waited longest first.
   * @param atMost 0 for any number
   * @param jobId joins those that wait, unless it was let in before
   * @returns those let in by this call, at most {@link ADMITTED_AT_ONCE}, and the one that was asked for if it had been let in before
   */
  admit(tenant: string, atMost: number, jobId?: string): Promise<readonly Admitted[]>
  /** Whether a job waits to be let in. */
  isHeld(job: Pick<JobRecord, 'tenant' | 'job_id'>): Promise<boolean>
  /** Tenants of whom jobs wait to be let in. */
  heldTenants(): Promise<readonly string[]>

  putLease(lease: LeaseRecord): Promise<void>
  getLease(leaseId: string): Promise<LeaseRecord | null>

  /** A worker asked for this model, or reported on a job of it, at this moment (milliseconds). */
  sawWorker(model: string, moment: number): Promise<void>
  /** By model: when a worker was last seen by any of the processes that share the store. */
  workersSeen(): Promise<Map<string, number>>
  /** A worker said what its checkpoint of this model can do: the last one's word is kept. */
  announce(model: string, abilities: Abilities): Promise<void>
  /** By model: what was announced last. */
  announced(): Promise<Map<string, Abilities>>

  /** Drops what has outlived its time: leases, and entries where the history does not keep them for ever. */
  sweep(now: number): Promise<void>
}

export interface Registered {
  readonly created: boolean
  readonly entry: HistoryEntry
  readonly priority: number
}

/** How many jobs there may be that have not ended; 0 for any number. */
export interface Room {
  readonly ofTenant: number
  readonly inAll: number
}

export interface NoRoom {
  readonly noRoom: keyof Room
}

export interface Admitted {
  readonly job_id: string
  /** Drawn when it was registered. */
  readonly priority: number
}

export const ADMITTED_AT_ONCE = 100

/** BullMQ's largest priority; past it jobs are taken in order of arrival. */
export const MAX_PLACE = 2_097_151

/** Seconds a lease's record is kept: longer than any job runs, so that a late holder is told so and a repeated report finds its job. */
export const LEASE_KEPT = 7 * 24 * 3600
