/** How records are written, several in one statement, as far as there is room for them. */
import type { PgQueryable } from 'bullmq'
import { MAX_PLACE, type Room } from '../history.ts'

export interface RegisteredRow {
  readonly job_id: string
  readonly priority: number | null
  readonly no_room: keyof Room | null
}

/**
 * $1..$7: job ids, tenants, models, moments, records, open jobs at most of each one's tenant, and in all. Answers for those that were not there. The count of a
 * limited tenant is locked before it is read, so that two processes never take the same room; places are drawn only for what is written, and the row of a tenant is
 * locked by the upsert, so that no place is given twice. Everything in one order, so that two processes never wait for each other.
 */
export const REGISTER = `
  WITH counted AS MATERIALIZED (
    SELECT tenant, jobs FROM kinora.open_jobs WHERE tenant = ANY($2::text[]) AND 0 < ANY($6::bigint[])
    ORDER BY tenant FOR UPDATE
  ),
  everybody AS (SELECT COALESCE(sum(jobs), 0)::bigint AS jobs FROM kinora.open_jobs WHERE 0 < ANY($7::bigint[])),
  asked AS (
    SELECT DISTINCT ON (job_id) *
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[])
      WITH ORDINALITY AS asked (job_id, tenant, model, created_at, record, of_tenant, in_all, nr)
    WHERE NOT EXISTS (SELECT 1 FROM kinora.job AS job WHERE job.job_id = asked.job_id)
    ORDER BY job_id, nr
  ),
  ranked AS (
    SELECT asked.*, COALESCE(counted.jobs, 0) + row_number() OVER (PARTITION BY tenant ORDER BY nr) AS nth
    FROM asked LEFT JOIN counted USING (tenant)
  ),
  fitting AS (
    SELECT ranked.*, everybody.jobs + row_number() OVER (ORDER BY nr) AS nth_in_all
    FROM ranked, everybody WHERE of_tenant = 0 OR nth <= of_tenant
  ),
  taken AS (SELECT * FROM fitting WHERE in_all = 0 OR nth_in_all <= in_all),
  share AS (SELECT model, tenant, count(*)::integer AS size FROM taken GROUP BY model, tenant),
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
  ),
  written AS (
    INSERT INTO kinora.job (job_id, tenant, model, created_at, priority, record)
    SELECT taken.job_id, taken.tenant, taken.model, taken.created_at,
      GREATEST(drawn.place - size + row_number() OVER (PARTITION BY taken.model, taken.tenant ORDER BY nr), 1),
      taken.record::json
    FROM taken JOIN share USING (model, tenant) JOIN drawn USING (model, tenant)
    ORDER BY taken.job_id
    ON CONFLICT (job_id) DO NOTHING
    RETURNING job_id, priority
  )
  SELECT ranked.job_id, written.priority,
    CASE WHEN fitting.job_id IS NULL THEN 'ofTenant' WHEN taken.job_id IS NULL THEN 'inAll' END AS no_room
  FROM ranked LEFT JOIN fitting USING (job_id) LEFT JOIN taken USING (job_id) LEFT JOIN written USING (job_id)`

/** Tenants whose counts are known to be there. */
const REMEMBERED = 10_000

/** @returns what makes counts for tenants that have none yet: only a row that is there can be locked */
export function createCountedTenants(database: PgQueryable): (tenants: readonly string[]) => Promise<void> {
  const known = new Set<string>()
  return async (tenants) => {
    const unknown = [...new Set(tenants)].filter((tenant) => !known.has(tenant))
    if (unknown.length === 0) return
    await database.query(
      'INSERT INTO kinora.open_jobs (tenant, jobs) SELECT tenant, 0 FROM unnest($1::text[]) AS asked (tenant) ORDER BY tenant ON CONFLICT (tenant) DO NOTHING',
      [unknown],
    )
    if (known.size > REMEMBERED) known.clear()
    for (const tenant of unknown) known.add(tenant)
  }
}
