/** Reads jobs: the outcome where there is one, else how they stand in BullMQ. */
import type { Job } from '@kinora/protocol'
import { ApiError } from '../api-error.ts'
import type { LiveState } from '../jobs/live.ts'
import { shownPictures } from './placed-images.ts'
import type { HistoryEntry, JobRecord } from '../jobs/record.ts'
import type { Snapshot } from '../jobs/request.ts'
import { queueName } from '../jobs/video-job.ts'
import { endingLeftBehind, finalOf, type JobView, revisionOf, viewOf } from '../jobs/view.ts'
import { remember } from '../remember.ts'
import type { Presence } from '../models/presence.ts'
import type { Storage } from '../storage/index.ts'
import type { History } from '../stores/history.ts'
import { reach } from '../stores/outage.ts'
import type { JobPlace, JobStates } from '../stores/states.ts'

/** Seconds that signed URLs of pictures and results live: S3's longest. */
const RESULT_EXPIRES = 7 * 24 * 3600

/** Records that are kept at hand: they never change, and streams and heartbeats ask for them all the time. */
const CACHED_RECORDS = 10_000

/** A job as it stands. */
export interface KnownJob {
  readonly place: JobPlace
  readonly entry: HistoryEntry
  /** Null once it has ended, and where BullMQ does not have it. */
  readonly live: LiveState | null
  readonly view: JobView
}

export interface Reader {
  /** The record, from memory where it was read before. */
  readonly record: (jobId: string) => Promise<JobRecord | null>
  readonly place: (record: Pick<JobRecord, 'job_id' | 'tenant' | 'model'>) => JobPlace
  /** @throws ApiError `job_not_found` when there is none, or it is another tenant's */
  known(jobId: string, tenant?: string): Promise<KnownJob>
  /** How jobs stand whose records are at hand, in one step; null for those that are gone. */
  read(records: readonly JobRecord[]): Promise<readonly (KnownJob | null)[]>
  /** The job for the wire, with signed URLs. */
  present(known: Pick<KnownJob, 'entry' | 'view'>): Promise<Job>
  /** @throws ApiError `job_not_found` */
  job(jobId: string, tenant?: string): Promise<Job>
  /** For streams: null for jobs that are gone. */
  snapshots(jobIds: readonly string[]): Promise<readonly (TenantSnapshot | null)[]>
  /** Forgets a removed job. */
  forget(jobId: string): void
}

/** A snapshot, and whose it is. */
export interface TenantSnapshot extends Snapshot {
  readonly tenant: string
}

export interface ReaderOptions {
  readonly models: readonly string[]
  readonly history: History
  readonly states: JobStates
  readonly storage: Storage
  readonly presence: Presence
  readonly clock: () => number
}

export function createReader({ models, history, states, storage, presence, clock }: ReaderOptions): Reader {
  const records = new Map<string, JobRecord>()

  /** What a server before 0.2, or BullMQ by itself, has ended or marked as canceled gets its outcome when it is read. */
  async function settleLeftBehind(known: KnownJob): Promise<KnownJob | null> {
    const ending = known.live ? endingLeftBehind(known.live) : undefined
    if (!ending) return known
    const { entry, live, place } = known
    const decided = await reach(() => states.decide(place, finalOf(entry, live, ending, clock())))
    if (decided.kind !== 'ended') return null
    return { place, entry: { ...entry, final: decided.final }, live: null, view: decided.final }
  }

  const reader: Reader = {
    async record(jobId) {
      const known = records.get(jobId)
      if (known) return known
      const entry = await reach(() => history.get(jobId))
      if (!entry) return null
      remember(records, jobId, entry.record, CACHED_RECORDS)
      return entry.record
    },

    place: ({ job_id, tenant, model }) => ({ job_id, tenant, queue: queueName(model, models) }),

    async known(jobId, tenant) {
      const record = await reader.record(jobId)
      if (!record || (tenant !== undefined && record.tenant !== tenant)) throw notFound()
      const [known] = await reader.read([record])
      if (known) return known
      reader.forget(jobId)
      throw notFound()
    },

    async read(asked) {
      const places = asked.map(reader.place)
      const found = await reach(() => states.read(places))
      return Promise.all(
        asked.map(async (record, at) => {
          const state = found[at]
          if (!state) return null
          const { live, ...rest } = state
          const entry = { record, ...rest }
          return settleLeftBehind({ place: places[at]!, entry, live, view: viewOf(entry, live) })
        }),
      )
    },

    async present({ entry, view: { job, video, poster_key } }) {
      const webhook =
        entry.record.webhook_url === undefined
          ? undefined
          : (entry.webhook ?? { status: 'pending' as const, attempts: 0 })
      const notice = job.status === 'queued' ? await presence.notice(job.model) : undefined
      return {
        ...job,
        ...(await shownPictures(storage, entry.record, job, { expiresIn: RESULT_EXPIRES })),
        ...(video ? { result_url: 'url' in video ? video.url : await resultUrl(video.key) } : {}),
        ...(poster_key === undefined ? {} : { poster_url: await resultUrl(poster_key) }),
        ...(notice === undefined ? {} : { notice }),
        ...(webhook ? { webhook } : {}),
      }
    },

    job: async (jobId, tenant) => reader.present(await reader.known(jobId, tenant)),

    async snapshots(jobIds) {
      const found = await Promise.all(jobIds.map(reader.record))
      const asked = found.flatMap((record) => record ?? [])
      const known = await reader.read(asked)
      const byId = new Map(asked.map((record, at) => [record.job_id, known[at]]))
      return Promise.all(
        jobIds.map(async (jobId) => {
          const one = byId.get(jobId)
          if (!one) {
            reader.forget(jobId)
            return null
          }
          const job = await reader.present(one)
          return { tenant: one.entry.record.tenant, revision: revisionOf(job), job }
        }),
      )
    },

    forget(jobId) {
      records.delete(jobId)
    },
  }
  return reader

  async function resultUrl(key: string): Promise<string> {
    return storage.publicUrl?.(key) ?? storage.presignGet(key, { expiresIn: RESULT_EXPIRES })
  }
}

export function notFound(): ApiError {
  return new ApiError('job_not_found', 'Job not found')
}

/** Null for a job that is not there. */
export async function ifThere(known: Promise<KnownJob>): Promise<KnownJob | null> {
  return known.catch((error: unknown) => {
    if (error instanceof ApiError && error.code === 'job_not_found') return null
    throw error
  })
}
