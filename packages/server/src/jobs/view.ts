/** BullMQ's job as the wire's job. Pure functions. */
import { createHash } from 'node:crypto'
import { type FinalStatus, isFinal, type Job, type JobStatus } from '@kinora/protocol'
import type { Ending } from './ending.ts'
import type { FinalSnapshot, JobRecord } from './record.ts'
import { parseFailure, type VideoJob, type VideoProgress, type VideoResult } from './video-job.ts'

/** BullMQ's states as far as the wire cares: held by a worker, waiting in one way or another, or ended (`finishedOn` says so). */
export type QueueState = 'active' | 'waiting' | 'ended'

/** A job as it stands, without the URLs that are signed for each answer. */
export interface JobView {
  readonly job: Job
  readonly video?: VideoResult['video'] | undefined
  readonly poster_key?: string | undefined
}

/** Attempts used up so far: BullMQ's own count knows nothing of dead leases. */
export function attemptsUsed(bull: VideoJob): number {
  return bull.attemptsMade + bull.stalledCounter
}

/** What the claim and the heartbeats told, if there was a claim yet. */
export function progressOf(bull: VideoJob): VideoProgress | undefined {
  const { progress } = bull
  return typeof progress === 'object' && 'lease_id' in progress ? (progress as unknown as VideoProgress) : undefined
}

/** The job of the wire, from its record and BullMQ's job. */
export function viewOf(record: JobRecord, bull: VideoJob, state: QueueState): JobView {
  const told = progressOf(bull)
  const { canceled_at } = bull.data
  const ended = state === 'ended' ? (bull.finishedOn ?? 0) : undefined
  const result = ended === undefined ? undefined : resultOf(bull)
  const status = statusOf()
  const attempt =
    status === 'queued' ? attemptsUsed(bull) : (told?.attempt ?? (state === 'active' ? attemptsUsed(bull) + 1 : 0))
  const endedAt = status === 'canceled' ? canceled_at : ended
  const settings = told?.settings ?? record.settings

  const job: Job = {
    job_id: record.job_id,
    status,
    ...(status === 'completed' ? { progress: 100 } : {}),
    ...(status === 'processing' && told?.progress !== undefined ? { progress: told.progress } : {}),
    ...(status === 'processing' ? { stage: told?.stage ?? 'fetching' } : {}),
    ...(status === 'failed' ? failure() : {}),
    ...(status === 'canceled' ? { error_code: 'canceled' } : {}),
    created_at: iso(record.created_at),
    ...(told && attempt > 0 ? { started_at: iso(told.started_at) } : {}),
    ...(endedAt === undefined ? {} : { completed_at: iso(endedAt) }),
    ...(canceled_at !== undefined && status === 'canceled' ? { canceled_at: iso(canceled_at) } : {}),
    model: record.model,
    attempt,
    ...(told?.notices?.length ? { notices: [...told.notices] } : {}),
    ...asAsked(record),
    ...settings,
  }
  return {
    job,
    ...(status === 'completed' && result ? { video: result.video, poster_key: result.poster_key } : {}),
  }

  function statusOf(): JobStatus {
    // A cancel that came before the end wins over it; one that came after changes nothing.
    if (canceled_at !== undefined && (ended === undefined || canceled_at <= ended)) return 'canceled'
    if (ended !== undefined) return result ? 'completed' : 'failed'
    return state === 'active' ? 'processing' : 'queued'
  }

  function failure(): { error_message: string; error_code: string } {
    const { code, message } = parseFailure(bull.failedReason ?? 'The job failed.')
    return { error_message: message, error_code: code }
  }
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

/** The end of a job that never was in the line of workers. */
export function finalOutsideTheLine(record: JobRecord, ending: Ending, now: number): FinalSnapshot {
  const { stage: _, ...waiting } = waitingView(record, false).job
  const ended = { ...waiting, completed_at: iso(now) }
  switch (ending.status) {
    case 'completed':
      return { job: { ...ended, status: 'completed', progress: 100 }, video: ending.result.video, finished_at: now }
    case 'failed':
      return {
        job: { ...ended, status: 'failed', error_code: ending.code, error_message: ending.message },
        finished_at: now,
      }
    case 'canceled':
      return {
        job: { ...ended, status: 'canceled', error_code: 'canceled', canceled_at: iso(now) },
        finished_at: now,
      }
  }
}

/** What history keeps of a job that has ended; undefined while it has not. A canceled job counts as ended once it is marked. */
export function finalOf(view: JobView): FinalSnapshot | undefined {
  const { job, video, poster_key } = view
  if (!isFinal(job.status) || job.completed_at === undefined) return undefined
  return { job, video, poster_key, finished_at: Date.parse(job.completed_at) }
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

function resultOf(bull: VideoJob): VideoResult | undefined {
  const result: unknown = bull.returnvalue
  return typeof result === 'object' && result !== null && 'video' in result ? bull.returnvalue : undefined
}

function iso(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}
