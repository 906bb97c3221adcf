/** How jobs stand and end on Redis, where queue and history lie together. */
import type { Redis } from 'ioredis'
import type { WebhookState } from '@kinora/protocol'
import { isProgress, type LiveState, toResult } from '../../jobs/live.ts'
import { datedFinal, type FinalSnapshot, type HistoryEntry, type WorkerReport } from '../../jobs/record.ts'
import { LEASE_KEPT } from '../history.ts'
import { CHANGED, type JobPlace, type JobState, type JobStates, type LiveJobs } from '../states.ts'
import { bullKeys, historyKeys } from './keys.ts'
import { createRunner, type Run } from './run.ts'
import { BEAT, DECIDE, READ, READ_LIVE, TAKE, UNFOLLOWED } from './state-scripts.ts'

type LiveFields = readonly [
  token: string | null,
  progress: string | null,
  made: string | null,
  stalled: string | null,
  finishedOn: string | null,
  result: string | null,
  reason: string | null,
]
type StateFields = readonly [tenant: string, ...stored: StoredFields, live: LiveFields | null]

export function createRedisStates(redis: Redis, { prefix }: { readonly prefix: string }): JobStates {
  const run = createRunner(redis)
  const key = historyKeys(prefix)

  return {
    async now() {
      const [seconds, microseconds] = await redis.time()
      return Number(seconds) * 1000 + Math.floor(Number(microseconds) / 1000)
    },

    async read(places) {
      if (places.length === 0) return []
      const keys = places.flatMap((place) => [key.job(place.job_id), ...lockKeys(place)])
      const found = (await run(READ, keys, [])) as (StateFields | null)[]
      return found.map((fields) => fields && toState(fields))
    },

    holder: ({ queue, job_id: jobId }) => redis.get(bullKeys.lock(queue, jobId)),

    async decide(place, final, fence) {
      const { job_id: jobId, tenant, queue } = place
      const [kind, ...more] = (await run(
        DECIDE,
        [
          key.job(jobId),
          key.open(),
          key.open(tenant),
          key.ended(),
          key.ended(tenant),
          key.endings,
          bullKeys.lock(queue, jobId),
          bullKeys.events(queue),
        ],
        [jobId, JSON.stringify(final), CHANGED, ...(fence ? [fence.holder ?? ''] : [])],
      )) as [string, ...(string | null)[]]
      if (kind === 'decided') {
        const [endedAt, holder = null] = more
        return { kind: 'ended', final: datedFinal(final, Number(endedAt)), mine: true, holder }
      }
      if (kind !== 'ended') return { kind: kind === 'gone' ? 'gone' : 'refused' }
      const [text, endedAt = null, holder = null] = more
      return { kind, final: toFinal(text ?? '', endedAt), mine: false, holder }
    },

    async take({ place, lease, progress, priority, leaseDuration }) {
      const { job_id: jobId, queue } = place
      const taken = await run(
        TAKE,
        [key.job(jobId), key.turns(lease.model), key.lease(lease.lease_id), ...lockKeys(place), bullKeys.events(queue)],
        [
          jobId,
          lease.lease_id,
          JSON.stringify(progress),
          JSON.stringify(lease),
          LEASE_KEPT,
          priority,
          CHANGED,
          Math.round(leaseDuration),
        ],
      )
      return taken === 1
    },

    beat: createBeat(run),

    unfollowed: async (milliseconds, limit) =>
      (await run(UNFOLLOWED, [key.endings], [milliseconds, limit])) as string[],

    async followed(jobId) {
      await redis.zrem(key.endings, jobId)
    },
  }
}

/** BullMQ's part alone, for a history that lies elsewhere. */
export function createRedisLive(redis: Redis): LiveJobs {
  const run = createRunner(redis)
  return {
    async read(places) {
      if (places.length === 0) return []
      const found = (await run(READ_LIVE, places.flatMap(lockKeys), [])) as (LiveFields | null)[]
      return found.map((fields) => fields && toLive(fields))
    },
    holder: ({ queue, job_id: jobId }) => redis.get(bullKeys.lock(queue, jobId)),
    beat: createBeat(run),
    async announce({ queue, job_id: jobId }) {
      const event = ['event', CHANGED, 'jobIds', JSON.stringify([jobId])]
      await redis.xadd(bullKeys.events(queue), 'MAXLEN', '~', 10_000, '*', ...event)
    },
  }
}

function createBeat(run: Run): JobStates['beat'] {
  return async (queue, beats, milliseconds) => {
    if (beats.length === 0) return []
    const kept = (await run(
      BEAT,
      [bullKeys.events(queue), ...beats.flatMap((beat) => lockKeys({ queue, job_id: beat.job_id }))],
      [
        Math.round(milliseconds),
        CHANGED,
        ...beats.flatMap((beat) => [beat.job_id, beat.token, beat.progress ? JSON.stringify(beat.progress) : '']),
      ],
    )) as number[]
    return kept.map((one) => one === 1)
  }
}

function lockKeys({ queue, job_id: jobId }: Pick<JobPlace, 'queue' | 'job_id'>): [string, string] {
  return [bullKeys.job(queue, jobId), bullKeys.lock(queue, jobId)]
}

function toState([, final, endedAt, webhook, report, live]: StateFields): JobState {
  return { ...stateOf([final, endedAt, webhook, report]), live: live && toLive(live) }
}

/** What has become of a job, as its record keeps it. */
export type StoredFields = readonly [
  final: string | null,
  endedAt: string | null,
  webhook: string | null,
  report: string | null,
]

export function stateOf([final, endedAt, webhook, report]: StoredFields): Omit<HistoryEntry, 'record'> {
  return {
    ...(final === null ? {} : { final: toFinal(final, endedAt) }),
    ...(webhook === null ? {} : { webhook: JSON.parse(webhook) as WebhookState }),
    ...(report === null ? {} : { report: JSON.parse(report) as WorkerReport }),
  }
}

/** The store's moment counts; an outcome of a server before 0.2 has none but its own. */
function toFinal(text: string, endedAt: string | null): FinalSnapshot {
  const final = JSON.parse(text) as FinalSnapshot
  return endedAt === null ? final : datedFinal(final, Number(endedAt))
}

function toLive([token, progress, made, stalled, finishedOn, result, reason]: LiveFields): LiveState {
  const told: unknown = progress === null ? undefined : JSON.parse(progress)
  return {
    token,
    progress: isProgress(told) ? told : undefined,
    made: Number(made ?? 0),
    stalled: Number(stalled ?? 0),
    ...(finishedOn === null
      ? {}
      : {
          ended: {
            result: result === null ? undefined : toResult(JSON.parse(result)),
            reason: reason ?? undefined,
          },
        }),
  }
}
