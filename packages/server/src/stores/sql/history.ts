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
import { type History, LEASE_KEPT, MAX_PLACE } from '../history.ts'

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

type Registered = Awaited<ReturnType<History['register']>>

/**
 * $1..$5: job ids, tenants, models, moments, records. Places are drawn only for new jobs; the row of a tenant is locked by the upsert, so that no
 * place is given twice. Everything in one order, so that two processes never wait for each other.
 */
const REGISTER = `
  WITH asked AS (
    SELECT DISTINCT ON (job_id) job_id, tenant, model, created_at, record, nr
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[])
      WITH ORDINALITY AS asked (job_id, tenant, model, created_at, record, nr)
    WHERE NOT EXISTS (SELECT 1 FROM kinora.job AS job WHERE job.job_id = asked.job_id)
    ORDER BY job_id, nr
  ),
  share AS (SELECT model, tenant, count(*)::integer AS size FROM asked GROUP BY model, tenant),
  drawn AS (
    INSERT INTO kinora.turn AS turn (model, tenant, place)
    SELECT model, tenant, LEAST(
      COALESCE((SELECT place FROM kinora.turn AS claimed WHERE claimed.model = share.model AND claimed.tenant = ''), 0) + size,
      ${MAX_PLACE})
    FROM share ORDER BY model, tenant
    ON CONFLICT (model, tenant) DO UPDATE SET place = (
      SELECT LEAST(GREATEST(turn.place, EXCLUDED.place - size) + size, ${MAX_PLACE})
      FROM share WHERE share.model = EXCLUDED.model AND share.tenant = EXCLUDED.tenant)
    RETURNING model, tenant, place
  )
  INSERT INTO kinora.job (job_id, tenant, model, created_at, priority, record)
  SELECT asked.job_id, asked.tenant, asked.model, asked.created_at,
    GREATEST(drawn.place - size + row_number() OVER (PARTITION BY asked.model, asked.tenant ORDER BY nr), 1),
    asked.record::json
  FROM asked JOIN share USING (model, tenant) JOIN drawn USING (model, tenant)
  ORDER BY asked.job_id
  ON CONFLICT (job_id) DO NOTHING
  RETURNING job_id, priority`

export function createSqlHistory(database: PgQueryable, { keepSeconds }: SqlHistoryOptions = {}): History {
  async function ids(condition: string, parameters: readonly unknown[], order: string, limit: number) {
    const { rows } = await database.query<{ job_id: string }>(
      `SELECT job_id FROM kinora.job WHERE ${condition} ORDER BY ${order} LIMIT ${Math.floor(limit)}`,
      parameters,
    )
    return rows.map((row) => row.job_id)
  }

  async function readRegistered(record: JobRecord): Promise<Registered> {
    const { rows } = await database.query<Row & { priority: number }>(
      `SELECT priority, ${COLUMNS} FROM kinora.job WHERE job_id = $1`,
      [record.job_id],
    )
    const row = rows[0]
    // Removed in between: ask again.
    if (!row) return register(record)
    return { created: false, entry: toEntry(row), priority: row.priority }
  }

  async function registerTogether(records: readonly JobRecord[]): Promise<Registered[]> {
    const { rows } = await database.query<{ job_id: string; priority: number }>(REGISTER, [
      records.map((record) => record.job_id),
      records.map((record) => record.tenant),
      records.map((record) => record.model),
      records.map((record) => record.created_at),
      records.map((record) => JSON.stringify(record)),
    ])
    const created = new Map(rows.map((row) => [row.job_id, row.priority]))
    return Promise.all(
      records.map(async (record) => {
        const priority = created.get(record.job_id)
        // Of the same id twice only the first is the one that was created.
        created.delete(record.job_id)
        return priority === undefined ? readRegistered(record) : { created: true, entry: { record }, priority }
      }),
    )
  }

  const register = gather<JobRecord, Registered>({
    one: async (record) => (await registerTogether([record]))[0] ?? readRegistered(record),
    many: registerTogether,
  })

  return {
    register,

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
