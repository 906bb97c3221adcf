/** Whose turn it is to go into the line of workers, in SQL: the function is in schema-limits.ts. */
import type { PgQueryable } from 'bullmq'
import { ADMITTED_AT_ONCE, type History } from '../history.ts'

/** One index look-up for each tenant, however many of its jobs wait. */
const HELD_TENANTS = `
  WITH RECURSIVE waiting AS (
    (SELECT tenant FROM kinora.job WHERE final IS NULL AND line = 'held' ORDER BY tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT tenant FROM kinora.job WHERE final IS NULL AND line = 'held' AND tenant > waiting.tenant ORDER BY tenant LIMIT 1)
    FROM waiting WHERE waiting.tenant IS NOT NULL
  )
  SELECT tenant FROM waiting WHERE tenant IS NOT NULL`

export function createSqlAdmission(database: PgQueryable): Pick<History, 'admit' | 'isHeld' | 'heldTenants'> {
  return {
    async admit(tenant, atMost, jobId) {
      const { rows } = await database.query<{ admitted_id: string; admitted_priority: number }>(
        'SELECT * FROM kinora.admit($1, $2, $3, $4)',
        [tenant, atMost, jobId ?? null, ADMITTED_AT_ONCE],
      )
      return rows.map((row) => ({ job_id: row.admitted_id, priority: row.admitted_priority }))
    },
    async isHeld({ job_id }) {
      const { rows } = await database.query(
        "SELECT 1 FROM kinora.job WHERE job_id = $1 AND final IS NULL AND line = 'held'",
        [job_id],
      )
      return rows.length > 0
    },
    async heldTenants() {
      const { rows } = await database.query<{ tenant: string }>(HELD_TENANTS)
      return rows.map((row) => row.tenant)
    },
  }
}
