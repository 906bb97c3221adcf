/** Leases by their id, which is BullMQ's lock token: so BullMQ itself refuses whoever is late. */
import type { LeaseEnd } from '@kinora/protocol'
import { ApiError } from '../api-error.ts'
import type { LeaseRecord } from '../jobs/record.ts'
import type { VideoJob, VideoProgress } from '../jobs/video-job.ts'
import { progressOf } from '../jobs/view.ts'
import type { Presence } from '../models/presence.ts'
import { isRefusal, type ModelQueue, type Queues } from '../queues.ts'
import type { Reader } from '../reading/reader.ts'
import type { History } from '../stores/history.ts'
import { reach } from '../stores/outage.ts'

/** Lease records at hand: heartbeats ask for them all the time. */
const CACHED = 10_000

export interface LeaseBookOptions {
  readonly queues: Queues
  readonly history: History
  readonly reader: Reader
  readonly presence: Presence
  readonly clock: () => number
  /** Milliseconds. */
  readonly leaseDuration: number
}

/** A job, and the lease that somebody works on it with. */
export interface LeasedJob {
  readonly model: ModelQueue
  readonly bull: VideoJob
  readonly told: VideoProgress
}

export interface LeaseBook {
  /**
   * The job of a lease, after its lock has been extended: nobody else can have it for a while. Or how it ended, where it did.
   * @throws ApiError `lease_lost`
   */
  find(leaseId: string): Promise<LeasedJob | { readonly ended: LeaseEnd }>
  /** Writes down who holds which job. */
  enter(lease: LeaseRecord): Promise<void>
  /** @returns false when the lock is somebody else's by now */
  extend(bull: VideoJob, leaseId: string): Promise<boolean>
  /** Extends the lock while something takes its time. @returns what ends that */
  keep(bull: VideoJob, leaseId: string): () => void
  /** When a lease that is extended now would end, ISO 8601. */
  deadline(): string
}

export function createLeaseBook(options: LeaseBookOptions): LeaseBook {
  const { queues, history, reader, presence, clock, leaseDuration } = options
  const known = new Map<string, LeaseRecord>()

  function remember(record: LeaseRecord): void {
    known.set(record.lease_id, record)
    if (known.size <= CACHED) return
    for (const oldest of known.keys()) {
      known.delete(oldest)
      break
    }
  }

  const book: LeaseBook = {
    async find(leaseId) {
      const record = known.get(leaseId) ?? (await reach(() => history.getLease(leaseId)))
      if (!record || !queues.models.includes(record.model)) throw leaseLost()
      remember(record)
      presence.saw(record.model)
      const model = queues.of(record.model)
      const bull = await reach(() => model.queue.getJob(record.job_id))
      const told = bull && progressOf(bull)
      if (!bull || told?.lease_id !== leaseId) throw leaseLost()
      if (bull.finishedOn !== undefined) {
        const view = await reader.keepEnd(record.job_id)
        if (!view) throw leaseLost()
        const ours = view.job.status !== 'completed' || bull.returnvalue.lease_id === leaseId
        if (!ours) throw leaseLost()
        return { ended: { job_id: record.job_id, status: view.job.status } }
      }
      if (!(await book.extend(bull, leaseId))) throw leaseLost()
      return { model, bull, told }
    },

    async enter(lease) {
      await reach(() => history.putLease(lease))
      remember(lease)
    },

    async extend(bull, leaseId) {
      try {
        return (await reach(() => bull.extendLock(leaseId, leaseDuration))) > 0
      } catch (error) {
        if (isRefusal(error)) return false
        throw error
      }
    },

    keep(bull, leaseId) {
      const timer = setInterval(() => void book.extend(bull, leaseId).catch(() => undefined), leaseDuration / 3)
      timer.unref()
      return () => clearInterval(timer)
    },

    deadline: () => new Date(clock() + leaseDuration).toISOString(),
  }
  return book
}

/** BullMQ's refusal of a late holder as the wire's. */
export async function asHolder<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await reach(operation)
  } catch (error) {
    if (isRefusal(error)) throw leaseLost(error)
    throw error
  }
}

export function leaseLost(cause?: unknown): ApiError {
  return new ApiError(
    'lease_lost',
    'The lease has ended: the job is somebody else’s, or has come to its end. Drop it.',
    { cause },
  )
}
