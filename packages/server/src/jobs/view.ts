/** How a job stands, for the wire. Pure functions. */
import { createHash } from 'node:crypto'
import { type FinalStatus, isFinal, type Job } from '@kinora/protocol'
import { attemptsOf } from './attempts.ts'
import type { Ending } from './ending.ts'
import type { LiveState } from './live.ts'
import type { FinalSnapshot, HistoryEntry, JobRecord, WorkerReport } from './record.ts'
import { parseFailure, type VideoResult } from './video-job.ts'

/** A job as it stands, without the URLs that are signed for each answer. */
export interface JobView {
  readonly job: Job
  readonly video?: VideoResult['video'] | undefined
  readonly poster_key?: string | undefined
}

/** What a job repeats of its request. */
function asAsked({ requested, metadata }: JobRecord): Pick<Job, 'requested' | 'metadata'> {
  return { ...(requested ? { requested } : {}), ...(metadata ? { metadata } : {}) }
}

/** A job that no worker can have yet, or that has just been put into their line. */
export function waitingView(record: JobRecord, isFetching: boolean): JobView {
  return {
    job: {
      job_id: record.job_id,
      status: 'queued',
      ...(isFetching ? { stage: 'fetching' as const } : {}),
      created_at: iso(record.created_at),
      model: record.model,
      attempt: 0,
      ...asAsked(record),
      ...record.settings,
    },
  }
}

/** The outcome where there is one, else what BullMQ has. */
export function viewOf(entry: HistoryEntry, live: LiveState | null): JobView {
  if (entry.final) return entry.final
  return live ? { job: liveJob(entry, live) } : waitingView(entry.record, isFetched(entry.record))
}

/** A job that has not ended. */
function liveJob(entry: HistoryEntry, live: LiveState | null): Job {
  const { record } = entry
  const told = live?.progress
  const isHeld = typeof live?.token === 'string'
  // What stands there may be of an attempt before: a claim is a lease only a moment after it.
  const now = isHeld && told?.lease_id === live.token ? told : undefined
  // An attempt begins with the holder's first word: a claim whose answer is lost costs none.
  const attempt = now && now.spoke !== false ? now.attempt : live ? attemptsOf(live).used : 0
  const { settings, notices } = reportOf(entry, live)
  return {
    job_id: record.job_id,
    status: isHeld ? 'processing' : 'queued',
    ...(now?.progress === undefined ? {} : { progress: now.progress }),
    ...(isHeld ? { stage: now?.stage ?? 'fetching' } : {}),
    created_at: iso(record.created_at),
    ...(told && attempt > 0 ? { started_at: iso(told.started_at) } : {}),
    model: record.model,
    attempt,
    ...(notices?.length ? { notices: [...notices] } : {}),
    ...asAsked(record),
    ...(settings ?? record.settings),
  }
}

/**
 * The outcome of a job that ends now. The store dates it anew by its own clock.
 * @param now milliseconds since 1970
 */
export function finalOf(entry: HistoryEntry, live: LiveState | null, ending: Ending, now: number): FinalSnapshot {
  const { progress: _, stage: __, ...job } = liveJob(entry, live)
  const told = live?.progress
  const common = { lease_id: told?.lease_id, finished_at: now }
  const ended = { ...job, completed_at: iso(now) }
  switch (ending.status) {
    case 'completed':
      return {
        ...common,
        lease_id: ending.result.lease_id,
        job: { ...ended, status: 'completed', progress: 100 },
        video: ending.result.video,
        poster_key: ending.result.poster_key,
      }
    case 'failed':
      return {
        ...common,
        job: { ...ended, status: 'failed', error_message: ending.message, error_code: ending.code },
      }
    case 'canceled':
      return { ...common, job: { ...ended, status: 'canceled', error_code: 'canceled', canceled_at: iso(now) } }
  }
}

/** How a job ended that BullMQ ended without an outcome of ours: servers before 0.2 do so, and BullMQ itself. */
export function endingLeftBehind({ ended }: LiveState): Ending | undefined {
  if (!ended) return undefined
  if (ended.result) return { status: 'completed', result: ended.result }
  const failure = parseFailure(ended.reason ?? 'The job failed.')
  return failure.code === 'canceled' ? { status: 'canceled' } : { status: 'failed', ...failure }
}

/** Whether pictures of the job have to be fetched: not where it named nothing but uploads that had been looked at. */
function isFetched({ pictures = [] }: JobRecord): boolean {
  return pictures.some(({ from }) => 'url' in from || !from.checked)
}

/** What the last holder said about the video; servers before 0.2 kept it in the progress. */
function reportOf({ report }: HistoryEntry, live: LiveState | null): Pick<WorkerReport, 'settings' | 'notices'> {
  const told = live?.progress
  return (report?.lease_id === told?.lease_id ? report : told) ?? {}
}

export function hasEnded(job: Job): job is Job & { status: FinalStatus } {
  return isFinal(job.status)
}

const CHANGES_WITHOUT_THE_STATE = new Set([
  'result_url',
  'poster_url',
  'picture_url',
  'images',
  'webhook',
  'queue_position',
])

/** Changes with the job's state, and with nothing else: not with signed URLs, nor with the delivery that follows the end. */
export function revisionOf(job: Job): string {
  // Sorted: Postgres gives the fields of JSON back in an order of its own.
  const fields = Object.entries(job)
    .filter(([name]) => !CHANGES_WITHOUT_THE_STATE.has(name))
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(fields)).digest('base64url').slice(0, 16)
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
