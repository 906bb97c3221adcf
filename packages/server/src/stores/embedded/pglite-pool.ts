/** PGlite as the pool that BullMQ's Postgres backend expects. There is one session only, so a transaction of one client keeps the others waiting. */
import type { PGlite } from '@electric-sql/pglite'
import type { PgNotification, PgPool, PgPoolClient, PgQueryResult } from 'bullmq'
import { EventEmitter } from 'node:events'

export function createPglitePool(database: PGlite): PgPool {
  const clients = new Set<EventEmitter>()
  const stopListening = database.onNotification((channel, payload) => {
    const message: PgNotification = { channel, payload }
    for (const client of clients) client.emit('notification', message)
  })

  let owner: object | undefined
  const waiting: (() => void)[] = []

  const isHeldFrom = (client: object | undefined): boolean => owner !== undefined && owner !== client

  async function turn(client: object | undefined): Promise<void> {
    while (isHeldFrom(client)) await new Promise<void>((resolve) => waiting.push(resolve))
  }

  async function run<R>(
    client: object | undefined,
    text: string,
    params?: readonly unknown[],
  ): Promise<PgQueryResult<R>> {
    await turn(client)
    const statement = /^\s*(?:--.*\n\s*)*(\w*)/.exec(text)?.[1]?.toUpperCase()
    if (statement === 'BEGIN') owner = client
    try {
      if (params && params.length > 0) {
        const { rows, affectedRows } = await database.query<R>(text, [...params])
        return { rows, rowCount: affectedRows ?? rows.length }
      }
      // Migrations hold many statements at once, which only the simple protocol takes.
      const results = await database.exec(text)
      const last = results.at(-1)
      return { rows: (last?.rows ?? []) as R[], rowCount: last?.affectedRows ?? 0 }
    } finally {
      if (owner && owner === client && (statement === 'COMMIT' || statement === 'ROLLBACK')) {
        owner = undefined
        for (const resume of waiting.splice(0)) resume()
      }
    }
  }

  const events = new EventEmitter()
  const pool = Object.assign(events, {
    query: <R>(text: string, params?: readonly unknown[]) => run<R>(undefined, text, params),
    async connect(): Promise<PgPoolClient> {
      const client = new EventEmitter()
      client.setMaxListeners(0)
      clients.add(client)
      return Object.assign(client, {
        query: <R>(text: string, params?: readonly unknown[]) => run<R>(client, text, params),
        release: () => void clients.delete(client),
      }) as EventEmitter & PgPoolClient
    },
    async end(): Promise<void> {
      stopListening()
      clients.clear()
    },
  })
  pool.setMaxListeners(0)
  return pool
}
