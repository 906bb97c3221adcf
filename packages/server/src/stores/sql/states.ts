/** How jobs stand and end in SQL, for Postgres and PGlite, where queue and history lie together. */
import { randomUUID } from 'node:crypto'
import type { PgQueryable } from 'bullmq'
import { isProgress, type LiveState, toResult } from '../../jobs/live.ts'
import { datedFinal, type FinalSnapshot } from '../../jobs/record.ts'
import { CHANGED, type Decided, type JobPlace, type JobStates } from '../states.ts'
import { NOW } from './clock.ts'
import { type StateRow, stateOf } from './history.ts'
import { BEAT, DECIDE, DECIDE_APART, HOLDER, READ, READ_APART, TAKE, UNFOLLOWED } from './state-statements.ts'

interface LiveRow {
  readonly live: boolean
  readonly token: string | null
  readonly progress: unknown
  readonly attempts_made: number
  readonly stalled_count: number
  readonly finished_at_ms: string | number | null
  readonly return_value: unknown
  readonly failed_reason: string | null
}

interface EndedRow {
  readonly final: FinalSnapshot | null
  readonly finished_at: string | number | null
  readonly mine: boolean
}

export function createSqlStates(database: PgQueryable): JobStates {
  return {
    async read(places) {
      if (places.length === 0) return []
      const { rows } = await database.query<StateRow & LiveRow & { known: boolean }>(READ, [
        places.map(({ queue }) => queue),
        places.map(({ job_id: jobId }) => jobId),
      ])
      return rows.map((row) => (row.known ? { ...stateOf(row), live: row.live ? toLive(row) : null } : null))
    },

    async holder({ queue, job_id: jobId }) {
      const { rows } = await database.query<{ lock_token: string | null }>(HOLDER, [queue, jobId])
      return rows[0]?.lock_token ?? null
    },

    async decide({ job_id: jobId, queue }, final, fence) {
      const { rows } = await database.query<EndedRow & { holder: string | null; known: boolean }>(DECIDE, [
        jobId,
        queue,
        JSON.stringify(final),
        fence !== undefined,
        fence?.holder ?? null,
        randomUUID(),
        CHANGED,
      ])
      const row = rows[0]
      if (!row?.known) return { kind: 'gone' }
      return toDecided(row, row.holder) ?? { kind: 'refused' }
    },

    async take({ place, lease, progress, priority, leaseDuration }) {
      const { rows } = await database.query(TAKE, [
        place.queue,
        place.job_id,
        lease.lease_id,
        JSON.stringify(progress),
        JSON.stringify(lease),
        lease.model,
        priority,
        CHANGED,
        Math.round(leaseDuration),
      ])
      return rows.length > 0
    },

    async beat(queue, beats, milliseconds) {
      const { rows } = await database.query<{ id: string; token: string }>(BEAT, [
        queue,
        beats.map((beat) => beat.job_id),
        beats.map((beat) => beat.token),
        beats.map((beat) => (beat.progress ? JSON.stringify(beat.progress) : null)),
        Math.round(milliseconds),
        CHANGED,
      ])
      const kept = new Set(rows.map(({ id, token }) => `${id} ${token}`))
      return beats.map((beat) => kept.has(`${beat.job_id} ${beat.token}`))
    },

    ...outbox(database),
  }
}

/** The outcomes alone, for a queue that lies elsewhere. */
export function createSqlOutcomes(database: PgQueryable) {
  return {
    async read(places: readonly JobPlace[]) {
      const { rows } = await database.query<StateRow & { known: boolean }>(READ_APART, [
        places.map(({ job_id: jobId }) => jobId),
      ])
      return rows.map((row) => (row.known ? stateOf(row) : null))
    },
    async decide(jobId: string, final: FinalSnapshot): Promise<Omit<Decided & { kind: 'ended' }, 'holder'> | null> {
      const { rows } = await database.query<EndedRow>(DECIDE_APART, [jobId, JSON.stringify(final), randomUUID()])
      return rows[0] ? toDecided(rows[0], null) : null
    },
    ...outbox(database),
  }
}

/** The outbox of endings, and the clock that dates them. */
function outbox(database: PgQueryable): Pick<JobStates, 'now' | 'unfollowed' | 'followed'> {
  return {
    async now() {
      const { rows } = await database.query<{ now: string | number }>(`SELECT ${NOW} AS now`)
      return Number(rows[0]?.now)
    },
    async unfollowed(milliseconds, limit) {
      const { rows } = await database.query<{ job_id: string }>(UNFOLLOWED, [Math.round(milliseconds), limit])
      return rows.map((row) => row.job_id)
    },
    async followed(jobId) {
      await database.query('UPDATE kinora.job SET followed = true WHERE job_id = $1', [jobId])
    },
  }
}

function toDecided(
  { final, finished_at, mine }: EndedRow,
  holder: string | null,
): (Decided & { kind: 'ended' }) | null {
  if (!final || finished_at === null) return null
  return { kind: 'ended', final: datedFinal(final, Number(finished_at)), mine, holder }
}

function toLive(row: LiveRow): LiveState {
  return {
    token: row.token,
    progress: isProgress(row.progress) ? row.progress : undefined,
    made: row.attempts_made,
    stalled: row.stalled_count,
    ...(row.finished_at_ms === null
      ? {}
      : {
          ended: {
            result: toResult(row.return_value),
            reason: row.failed_reason ?? undefined,
          },
        }),
  }
}
