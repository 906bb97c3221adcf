/** The store on Postgres 13 or newer: any number of processes share it. */
import type { Pool, PoolConfig } from 'pg'
import type { PgPool } from 'bullmq'
import { isMissing, missing } from '../missing.ts'
import { backendOn, migrate, migrateHistory } from '../sql/open.ts'
import { pingWithin } from '../ping.ts'
import { createSqlCounters } from '../sql/counter.ts'
import { createSqlHistory } from '../sql/history.ts'
import { createSqlOutcomes, createSqlStates } from '../sql/states.ts'
import { createStatesApart } from '../apart.ts'
import { type HistoryDriver, type StoreContext, type StoreDriver, StoreError } from '../store.ts'

export interface PostgresOptions {
  /** `postgres://user:password@host:5432/database`. */
  readonly url: string
  /** Connections for statements; listeners have their own, one for each queue and process. Default 10. */
  readonly connections?: number
  /** Seconds that ended jobs are kept. Default: for ever. */
  readonly keepSeconds?: number
}

/**
 * A store on Postgres. Needs the package `pg`.
 *
 * @example
 * createKinora({ store: postgres({ url: process.env.DATABASE_URL }), … })
 */
export function postgres(options: PostgresOptions): StoreDriver {
  return {
    name: 'postgres',
    async open(context) {
      const pools = await openPools(options, context)
      try {
        await migrate(pools.both)
      } catch (cause) {
        await pools.end()
        throw unreachable(options.url, cause)
      }
      return {
        name: 'postgres',
        backend: backendOn(pools.both),
        history: createSqlHistory(pools.statements, options),
        states: createSqlStates(pools.statements),
        counter: createSqlCounters(pools.statements),
        ping: () => pingWithin(2000, 'postgres', () => pools.statements.query('SELECT 1')),
        close: pools.end,
      }
    },
  }
}

/** The history alone on Postgres, for a queue on Redis. */
export function postgresHistory(options: PostgresOptions): HistoryDriver {
  return {
    async open(context) {
      const pools = await openPools(options, context)
      try {
        const client = await pools.both.connect()
        await migrateHistory(client).finally(() => client.release())
      } catch (cause) {
        await pools.end()
        throw unreachable(options.url, cause)
      }
      const history = createSqlHistory(pools.statements, options)
      return {
        history,
        statesOver: (live) => createStatesApart(live, createSqlOutcomes(pools.statements), history),
        ping: () => pingWithin(2000, 'postgres', () => pools.statements.query('SELECT 1')),
        close: pools.end,
      }
    },
  }
}

/**
 * Statements and listeners apart. BullMQ pins one client for each worker and listener; in one pool they would starve the statements, and the
 * limits that keep a statement from hanging would end a listener that waits.
 */
async function openPools({ url, connections = 10 }: PostgresOptions, { logger }: StoreContext) {
  const pg = await import('pg').catch((cause: unknown) => {
    throw isMissing(cause) ? missing('The Postgres queue', 'pg', cause) : cause
  })
  const shared: PoolConfig = {
    connectionString: url,
    options: '-c search_path=bullmq',
    application_name: 'kinora',
    connectionTimeoutMillis: 1500,
    keepAlive: true,
  }
  const statements: Pool = new pg.default.Pool({
    ...shared,
    max: connections,
    query_timeout: 2000,
    statement_timeout: 2000,
  })
  const listeners: Pool = new pg.default.Pool({ ...shared, max: 1000, idleTimeoutMillis: 10_000 })
  for (const pool of [statements, listeners]) {
    pool.setMaxListeners(0)
    pool.on('error', (error) => logger.debug({ error: error.message }, 'an idle connection to Postgres ended'))
    pool.on('connect', (client) => client.setMaxListeners(0))
  }
  // BullMQ asks for a subset of pg's pool, which @types/pg spells with other overloads: the same methods, so the types are asserted here once.
  const both = {
    query: (text: string, params?: readonly unknown[]) => statements.query(text, params && [...params]),
    connect: () => listeners.connect(),
    end: async () => undefined,
    on: () => both,
    removeAllListeners: () => both,
  } as unknown as PgPool
  let ending: Promise<void> | undefined
  return {
    both,
    statements: both,
    end: () => (ending ??= Promise.all([statements.end(), listeners.end()]).then(() => undefined)),
  }
}

function unreachable(url: string, cause: unknown): StoreError {
  const reason =
    cause instanceof Error ? cause.message || ('code' in cause ? String(cause.code) : cause.name) : String(cause)
  return new StoreError(
    'unreachable',
    `Postgres at ${address(url)} cannot be used: ${reason}. Check DATABASE_URL and that the server runs.`,
    { cause },
  )
}

/** Without user and password. */
function address(url: string): string {
  return URL.canParse(url) ? `${new URL(url).host}${new URL(url).pathname}` : 'the given URL'
}
