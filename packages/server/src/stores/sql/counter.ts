/** Counters of a window of time in SQL: the table is in schema-limits.ts. */
import type { PgQueryable } from 'bullmq'
import { RateLimiterMemory, RateLimiterPostgres } from 'rate-limiter-flexible'
import type { Store } from '../store.ts'

export function createSqlCounters(database: PgQueryable): Store['counter'] {
  const storeClient = {
    // The library names its statements, which our pools and PGlite do not, and PGlite counts no rows that were only read.
    async query({ text, values }: { text: string; values: readonly unknown[] }) {
      const { rows } = await database.query(text, values)
      return { rows, rowCount: rows.length }
    },
  }
  return ({ name, points, seconds }) => {
    const window = { keyPrefix: name, points, duration: seconds }
    return new RateLimiterPostgres({
      ...window,
      storeClient,
      storeType: 'client',
      schemaName: 'kinora',
      tableName: 'rate',
      tableCreated: true,
      // The history's sweep does it.
      clearExpiredByTimeout: false,
      // Whoever is over it is told so from memory.
      inMemoryBlockOnConsumed: points + 1,
      // While the store is away each process counts by itself.
      insuranceLimiter: new RateLimiterMemory(window),
    })
  }
}
