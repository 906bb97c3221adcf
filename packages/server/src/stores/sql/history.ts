/** The history in SQL, for Postgres and for PGlite. */
import type { Abilities, WebhookState } from '@kinora/protocol'
import type { PgQueryable } from 'bullmq'
import { gather } from '../gather.ts'
import {
  datedFinal,
  type FinalSnapshot,
  type HistoryEntry,
  type JobRecord,
  type LeaseRecord,
  type WorkerReport,
} from '../../jobs/record.ts'
import { type History, LEASE_KEPT, type NoRoom, type Registered, type Room } from '../history.ts'
import { createSqlAdmission } from './admission.ts'
import { createCountedTenants, REGISTER, type RegisteredRow } from './register.ts'

/** The columns that tell how a job stands. */
export interface StateRow {
  readonly final: FinalSnapshot | null
  readonly finished_at: string | number | bigint | null
  readonly webhook: WebhookState | null
  readonly report: WorkerReport | null
}

interface Row extends StateRow {
  readonly record: JobRecord
}

export interface SqlHistoryOptions {
  /** Seconds that ended jobs are kept. Default: for ever. */
  readonly keepSeconds?: number | undefined
}

const COLUMNS = 'record, final, finished_at, webhook, report'

interface Asked {
  readonly record: JobRecord
  readonly room: Room
}

export function createSqlHistory(database: PgQueryable, { keepSeconds }: SqlHistoryOptions = {}): History {
  async function ids(condition: string, parameters: readonly unknown[], order: string, limit: number) {
    const { rows } = await database.query<{ job_id: string }>(
      `SELECT job_id FROM kinora.job WHERE ${condition} ORDER BY ${order} LIMIT ${Math.floor(limit)}`,
      parameters,
    )
    return rows.map((row) => row.job_id)
  }

  async function readRegistered({ record, room }: Asked): Promise<Registered | NoRoom> {
    const { rows } = await database.query<Row & { priority: number }>(
      `SELECT priority, ${COLUMNS} FROM kinora.job WHERE job_id = $1`,
      [record.job_id],
    )
    const row = rows[0]
    // Removed in between: ask again.
    if (!row) return register({ record, room })
    return { created: false, entry: toEntry(row), priority: row.priority }
  }

  const makeCounted = createCountedTenants(database)

  async function registerTogether(asked: readonly Asked[]): Promise<(Registered | NoRoom)[]> {
    await makeCounted(asked.flatMap(({ record, room }) => (room.ofTenant > 0 ? record.tenant : [])))
    const { rows } = await database.query<RegisteredRow>(REGISTER, [
      asked.map(({ record }) => record.job_id),
      asked.map(({ record }) => record.tenant),
      asked.map(({ record }) => record.model),
      asked.map(({ record }) => record.created_at),
      asked.map(({ record }) => JSON.stringify(record)),
      asked.map(({ room }) => room.ofTenant),
      asked.map(({ room }) => room.inAll),
    ])
    const answers = new Map(rows.map((row) => [row.job_id, row]))
    return Promise.all(
      asked.map(async (one) => {
        const { record } = one
        const answer = answers.get(record.job_id)
        // Of the same id twice only the first is the one that was created.
        answers.delete(record.job_id)
        if (answer?.no_room) return { noRoom: answer.no_room }
        if (typeof answer?.priority !== 'number') return readRegistered(one)
        return { created: true, entry: { record }, priority: answer.priority }
      }),
    )
  }

  const register = gather<Asked, Registered | NoRoom>({
    one: async (asked) => (await registerTogether([asked]))[0] ?? readRegistered(asked),
    many: registerTogether,
  })

  return {
    register: (record, room = { ofTenant: 0, inAll: 0 }) => register({ record, room }),

    async claimed(model, priority) {
      await database.query(
        `INSERT INTO kinora.turn AS turn (model, tenant, place) VALUES ($1, '', $2)
         ON CONFLICT (model, tenant) DO UPDATE SET place = GREATEST(turn.place, EXCLUDED.place)`,
        [model, priority],
      )
    },

    async resetTurns(model, above) {
      await database.query(
        `DELETE FROM kinora.turn WHERE model = $1
         AND EXISTS (SELECT 1 FROM kinora.turn WHERE model = $1 AND tenant = '' AND place > $2)`,
        [model, above],
      )
    },

    async get(jobId) {
      const { rows } = await database.query<Row>(`SELECT ${COLUMNS} FROM kinora.job WHERE job_id = $1`, [jobId])
      return rows[0] ? toEntry(rows[0]) : null
    },

    async list(tenant, { limit, after }) {
      const { rows } = await database.query<Row>(
        `SELECT ${COLUMNS} FROM kinora.job WHERE tenant = $1 AND (created_at, job_id) < ($2::bigint, $3::text)
         ORDER BY created_at DESC, job_id DESC LIMIT ${Math.floor(limit)}`,
        [tenant, after?.created_at ?? Number.MAX_SAFE_INTEGER, after?.job_id ?? ''],
      )
      return rows.map(toEntry)
    },

    open: ({ tenant, limit }) =>
      tenant === undefined
        ? ids('final IS NULL', [], 'created_at', limit)
        : ids('final IS NULL AND tenant = $1', [tenant], 'created_at', limit),

    endedSince: (moment, { tenant, limit }) =>
      tenant === undefined
        ? ids('finished_at >= $1', [moment], 'finished_at', limit)
        : ids('finished_at >= $1 AND tenant = $2', [moment, tenant], 'finished_at', limit),

    async setWebhook(jobId, state) {
      await database.query('UPDATE kinora.job SET webhook = $2::json WHERE job_id = $1', [jobId, JSON.stringify(state)])
    },

    async report(jobId, report) {
      await database.query('UPDATE kinora.job SET report = $2::json WHERE job_id = $1', [jobId, JSON.stringify(report)])
    },

    async remove(jobId) {
      await database.query('DELETE FROM kinora.job WHERE job_id = $1', [jobId])
    },

    ...createSqlAdmission(database),

    async putLease(lease) {
      await database.query(
        'INSERT INTO kinora.lease (lease_id, record, made_at) VALUES ($1, $2::json, $3) ON CONFLICT (lease_id) DO NOTHING',
        [lease.lease_id, JSON.stringify(lease), Date.now()],
      )
    },

    async getLease(leaseId) {
      const { rows } = await database.query<{ record: LeaseRecord }>(
        'SELECT record FROM kinora.lease WHERE lease_id = $1',
        [leaseId],
      )
      return rows[0]?.record ?? null
    },

    async sawWorker(model, moment) {
      await database.query(
        `INSERT INTO kinora.worker_seen AS seen (model, seen_at) VALUES ($1, $2)
         ON CONFLICT (model) DO UPDATE SET seen_at = GREATEST(seen.seen_at, EXCLUDED.seen_at)`,
        [model, moment],
      )
    },

    async workersSeen() {
      const { rows } = await database.query<{ model: string; seen_at: string | number | bigint }>(
        'SELECT model, seen_at FROM kinora.worker_seen',
      )
      return new Map(rows.map((row) => [row.model, Number(row.seen_at)]))
    },

    async announce(model, abilities) {
      await database.query(
        `INSERT INTO kinora.abilities (model, told) VALUES ($1, $2::json)
         ON CONFLICT (model) DO UPDATE SET told = EXCLUDED.told`,
        [model, JSON.stringify(abilities)],
      )
    },

    async announced() {
      const { rows } = await database.query<{ model: string; told: Abilities }>(
        'SELECT model, told FROM kinora.abilities',
      )
      return new Map(rows.map(({ model, told }) => [model, told]))
    },

    async sweep(now) {
      await database.query('DELETE FROM kinora.lease WHERE made_at < $1', [now - LEASE_KEPT * 1000])
      await database.query('DELETE FROM kinora.rate WHERE expire < $1', [now])
      if (keepSeconds !== undefined) {
        await database.query('DELETE FROM kinora.job WHERE finished_at < $1', [now - keepSeconds * 1000])
      }
    },
  }
}

function toEntry(row: Row): HistoryEntry {
  return { record: row.record, ...stateOf(row) }
}

export function stateOf({ final, finished_at, webhook, report }: StateRow): Omit<HistoryEntry, 'record'> {
  return {
    ...(final ? { final: finished_at === null ? final : datedFinal(final, Number(finished_at)) } : {}),
    ...(webhook ? { webhook } : {}),
    ...(report ? { report } : {}),
  }
}
