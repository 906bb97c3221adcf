/** What the two stores on SQL have in common. */
import { createPostgresBackend, type PgPool, type PgQueryable, runMigrations } from 'bullmq'
import type { Store } from '../store.ts'
import { onDatabaseClock } from './clock.ts'
import { HISTORY_SCHEMA } from './schema.ts'
import { LIMITS_SCHEMA } from './schema-limits.ts'

/** Creates what is missing, under BullMQ's advisory lock, so that several processes may start at once. */
export async function migrate(pool: PgPool): Promise<void> {
  const client = await pool.connect()
  try {
    await runMigrations(client, 'bullmq')
    await migrateHistory(client)
  } finally {
    client.release()
  }
}

/** 0x4b494e4f spells `KINO`. */
const HISTORY_LOCK = 0x4b494e4f

/** Creates the history's tables where they are missing. @param client one session, not a pool */
export async function migrateHistory(client: PgQueryable): Promise<void> {
  await client.query('BEGIN')
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [HISTORY_LOCK])
    await client.query(HISTORY_SCHEMA)
    await client.query(LIMITS_SCHEMA)
    await client.query('COMMIT')
  } catch (error) {
    await client.query('ROLLBACK')
    throw error
  }
}

/** BullMQ's Postgres backend on this pool, by the database's clock. */
export function backendOn(pool: PgPool): Store['backend'] {
  const connection = onDatabaseClock(pool)
  return (name, options, kind) => createPostgresBackend(name, { ...options, connection }, kind)
}
