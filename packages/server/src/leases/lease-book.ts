/** Leases by their id, which is BullMQ's lock token: whoever is late holds a token that is no lock's any more. */
import type { LeaseEnd } from '@kinora/protocol'
import { ApiError } from '../api-error.ts'
import type { LeaseRecord, VideoProgress } from '../jobs/record.ts'
import type { Presence } from '../models/presence.ts'
import type { Queues } from '../queues.ts'
import { remember } from '../remember.ts'
import { ifThere, type Reader } from '../reading/reader.ts'
import { gather } from '../stores/gather.ts'
import type { History } from '../stores/history.ts'
import { reach } from '../stores/outage.ts'
import type { Beat, JobStates } from '../stores/states.ts'

/** Lease records at hand: heartbeats ask for them all the time. */
const CACHED = 10_000

/** Milliseconds in which heartbeats are gathered, and at most so many: one step of the store for all of them. */
const GATHER = 5
const AT_MOST = 100

export interface LeaseBookOptions {
  readonly queues: Queues
  readonly history: History
  readonly states: JobStates
  readonly reader: Reader
  readonly presence: Presence
  readonly clock: () => number
  /** Milliseconds. */
  readonly leaseDuration: number
}

/** What a holder says with a beat. */
export type Said = Pick<VideoProgress, 'progress' | 'stage'>

export interface LeaseBook {
  /** @throws ApiError `lease_lost` when there never was such a lease */
  find(leaseId: string): Promise<LeaseRecord>
  /** Keeps at hand what was just written. */
  remember(lease: LeaseRecord): void
  /**
   * Keeps the lease for its length from now on: nobody else can have the job for that long. It is a word of the holder's, so the attempt counts from here.
   * @param said without it, what was said before stays
   * @returns false when the lock is somebody else's by now, or nobody's
   */
  beat(lease: LeaseRecord, said?: Said): Promise<boolean>
  /** Extends the lock while something takes its time. @returns what ends that */
  keep(lease: LeaseRecord): () => void
  /**
   * How a job stands whose lease is not the lock's any more. A holder whose own report ended the job is told so.
   * @throws ApiError `lease_lost`
   */
  ended(lease: LeaseRecord): Promise<LeaseEnd>
  /** When a lease that is extended now would end, ISO 8601. */
  deadline(): string
}

export function createLeaseBook(options: LeaseBookOptions): LeaseBook {
  const { queues, history, states, reader, presence, clock, leaseDuration } = options
  const known = new Map<string, LeaseRecord>()
  const beats = new Map(queues.all.map(({ model, name }) => [model, gatherBeats(name)]))

  function gatherBeats(queue: string) {
    return gather<Beat, boolean>({
      one: async (beat) => (await states.beat(queue, [beat], leaseDuration))[0] ?? false,
      many: (together) => states.beat(queue, together, leaseDuration),
      atMost: AT_MOST,
      within: GATHER,
    })
  }

  const book: LeaseBook = {
    async find(leaseId) {
      const lease = known.get(leaseId) ?? (await reach(() => history.getLease(leaseId)))
      if (!lease || !beats.has(lease.model)) throw leaseLost()
      const whole = lease.before ? lease : await complete(lease)
      book.remember(whole)
      presence.saw(lease.model)
      return whole
    },

    remember(lease) {
      remember(known, lease.lease_id, lease, CACHED)
    },

    async beat(lease, said) {
      const beat = beats.get(lease.model)
      if (!beat) throw leaseLost()
      const progress = said && { ...claimedProgress(lease), spoke: true, ...said }
      return reach(() => beat({ job_id: lease.job_id, token: lease.lease_id, progress }))
    },

    keep(lease) {
      const timer = setInterval(() => void book.beat(lease).catch(() => undefined), leaseDuration / 3)
      timer.unref()
      return () => clearInterval(timer)
    },

    async ended(lease) {
      const final = (await ifThere(reader.known(lease.job_id)))?.entry.final
      // Whoever completed a job alone may hear that it is completed; that it was canceled or failed, its last holder.
      if (final?.lease_id !== lease.lease_id) throw leaseLost()
      return { job_id: lease.job_id, status: final.job.status }
    },

    deadline: () => new Date(clock() + leaseDuration).toISOString(),
  }
  return book

  /** A lease of a server before 0.2: what it did not write down stands in the job's progress. */
  async function complete(lease: LeaseRecord): Promise<LeaseRecord> {
    const job = await ifThere(reader.known(lease.job_id))
    if (!job) throw leaseLost()
    const { entry, live } = job
    const told = live?.progress
    return {
      ...lease,
      tenant: entry.record.tenant,
      attempt: told?.attempt ?? 1,
      started_at: told?.started_at ?? clock(),
      before: { made: live?.made ?? 0, stalled: live?.stalled ?? 0, silent: 0, silent_in_row: 0 },
    }
  }
}

/** What BullMQ keeps as the job's progress from the claim on, while nobody has heard of the lease. */
export function claimedProgress({ lease_id, attempt, started_at, before }: LeaseRecord): VideoProgress {
  return { lease_id, attempt, started_at, progress: 0, stage: 'fetching', spoke: false, before }
}

export function leaseLost(cause?: unknown): ApiError {
  return new ApiError(
    'lease_lost',
    'The lease has ended: the job is somebody else’s, or has come to its end. Drop it.',
    { cause },
  )
}
