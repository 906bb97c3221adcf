/** Reads jobs: the live state from BullMQ, and what BullMQ has dropped from history. */
import type { Job } from '@kinora/protocol'
import { ApiError } from '../api-error.ts'
import { shownPictures } from './placed-images.ts'
import type { HistoryEntry, JobRecord } from '../jobs/record.ts'
import type { Snapshot } from '../jobs/request.ts'
import type { VideoJob } from '../jobs/video-job.ts'
import { finalOf, hasEnded, type JobView, type QueueState, revisionOf, viewOf, waitingView } from '../jobs/view.ts'
import type { Presence } from '../models/presence.ts'
import type { ModelQueue, Queues } from '../queues.ts'
import type { Storage } from '../storage/index.ts'
import type { History } from '../stores/history.ts'
import { reach } from '../stores/outage.ts'

/** Seconds that signed URLs of pictures and results live: S3's longest. */
const RESULT_EXPIRES = 7 * 24 * 3600

/** Records that are kept at hand: they never change, and streams and heartbeats ask for them all the time. */
const CACHED_RECORDS = 10_000

export interface LiveJob {
  readonly bull: VideoJob
  readonly state: QueueState
  readonly queue: ModelQueue
}

export interface Reader {
  /** @throws ApiError `job_not_found` when there is none, or it is another tenant's */
  entry(jobId: string, tenant?: string): Promise<HistoryEntry>
  /** The record, from memory where it was read before. */
  record(jobId: string): Promise<JobRecord | null>
  /** BullMQ's job, or null where it has dropped it. */
  live(record: JobRecord): Promise<LiveJob | null>
  /** How a job stands. One that is neither in the line nor ended waits for its pictures. */
  view(entry: HistoryEntry): Promise<JobView>
  /** The job for the wire, with signed URLs. */
  present(entry: HistoryEntry, view: JobView): Promise<Job>
  /** @throws ApiError `job_not_found` */
  job(jobId: string, tenant?: string): Promise<Job>
  /** For streams: null when the job is gone. */
  snapshot(jobId: string): Promise<Snapshot | null>
  /** Writes the end of a job into history, if it has ended. @returns how it stands; null when it is gone */
  keepEnd(jobId: string): Promise<JobView | null>
  /** Forgets a removed job. */
  forget(jobId: string): void
}

export interface ReaderOptions {
  readonly queues: Queues
  readonly history: History
  readonly storage: Storage
  readonly presence: Presence
}

export function createReader({ queues, history, storage, presence }: ReaderOptions): Reader {
  const records = new Map<string, JobRecord>()

  function remember(record: JobRecord): JobRecord {
    records.delete(record.job_id)
    records.set(record.job_id, record)
    if (records.size > CACHED_RECORDS) {
      for (const oldest of records.keys()) {
        records.delete(oldest)
        break
      }
    }
    return record
  }

  const reader: Reader = {
    async entry(jobId, tenant) {
      const entry = await reach(() => history.get(jobId))
      if (!entry || (tenant !== undefined && entry.record.tenant !== tenant)) throw notFound()
      remember(entry.record)
      return entry
    },

    async record(jobId) {
      const known = records.get(jobId)
      if (known) return known
      const entry = await reach(() => history.get(jobId))
      return entry ? remember(entry.record) : null
    },

    async live(record) {
      if (!queues.models.includes(record.model)) return null
      const model = queues.of(record.model)
      for (let attempt = 0; ; attempt++) {
        const [bull, state] = await reach(() =>
          Promise.all([model.queue.getJob(record.job_id), model.queue.getJobState(record.job_id)]),
        )
        if (!bull) return null
        if (bull.finishedOn !== undefined) return { bull, state: 'ended', queue: model }
        // It ended between the two reads.
        const moved = state === 'completed' || state === 'failed' || state === 'unknown'
        if (!moved || attempt === 5) return { bull, state: state === 'active' ? 'active' : 'waiting', queue: model }
      }
    },

    async view(entry) {
      if (entry.final) return entry.final
      const live = await reader.live(entry.record)
      if (live) return viewOf(entry.record, live.bull, live.state)
      // It may have ended, and BullMQ have dropped it, since the entry was read.
      const now = await reach(() => history.get(entry.record.job_id))
      return now?.final ?? waitingView(entry.record, isFetched(entry.record))
    },

    async present(entry, { job, video, poster_key }) {
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

    async job(jobId, tenant) {
      const entry = await reader.entry(jobId, tenant)
      return reader.present(entry, await reader.view(entry))
    },

    async snapshot(jobId) {
      const record = await reader.record(jobId)
      if (!record) return null
      // While the job lives, BullMQ alone is asked: the record is in memory.
      const live = await reader.live(record)
      let entry: HistoryEntry = { record }
      let view = live && viewOf(record, live.bull, live.state)
      if (!view || hasEnded(view.job)) {
        const kept = await reach(() => history.get(jobId))
        if (!kept) {
          records.delete(jobId)
          return null
        }
        entry = kept
        view = kept.final ?? view ?? waitingView(record, isFetched(record))
      }
      const job = await reader.present(entry, view)
      return { revision: revisionOf(job), job }
    },

    async keepEnd(jobId) {
      const record = await reader.record(jobId)
      if (!record) return null
      const live = await reader.live(record)
      if (!live) {
        const entry = await reach(() => history.get(jobId))
        return entry && reader.view(entry)
      }
      const view = viewOf(record, live.bull, live.state)
      const final = finalOf(view)
      if (final) await reach(() => history.finish(jobId, final))
      return view
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

/** Whether pictures of the job have to be fetched: not where it named nothing but uploads that had been looked at. */
function isFetched({ pictures = [] }: JobRecord): boolean {
  return pictures.some(({ from }) => 'url' in from || !from.checked)
}

export function notFound(): ApiError {
  return new ApiError('job_not_found', 'Job not found')
}
