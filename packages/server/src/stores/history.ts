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
   * @returns the entry as it stands, its priority, and whether this call created it
   */
  register(record: JobRecord): Promise<{ created: boolean; entry: HistoryEntry; priority: number }>
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

/** BullMQ's largest priority; past it jobs are taken in order of arrival. */
export const MAX_PLACE = 2_097_151

/** Seconds a lease's record is kept: longer than any job runs, so that a late holder is told so and a repeated report finds its job. */
export const LEASE_KEPT = 7 * 24 * 3600
