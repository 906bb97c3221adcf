/**
 * BullMQ's statements by the database's clock. As they are, they bring the process's own moment to whatever decides who holds a job: a process a minute
 * ahead takes leases that are alive, and one a minute behind does not find the dead ones. So every moment that goes in is moved by what the two clocks
 * are apart, and every one that comes out is moved back. (Tested with the version of BullMQ that package.json pins.)
 */
import type { PgPool } from 'bullmq'

/** The database's moment, milliseconds since 1970. */
export const NOW = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint'

/** Functions of BullMQ's that take moments, and which of their parameters are some. */
const MOMENTS_IN: Readonly<Record<string, readonly number[]>> = {
  move_to_active: [4],
  extend_lock: [5],
  move_stalled_jobs_to_wait: [3],
  move_to_delayed: [4],
  move_to_completed: [5],
  move_to_completed_fetch: [5, 10],
  move_to_failed: [6],
  move_to_failed_fetch: [6, 11],
  clean: [3],
}

/** A pool whose statements of BullMQ's go by the database's clock. */
export function onDatabaseClock(pool: PgPool): PgPool {
  const known = new Map<string, (now: number) => string>()
  const query: PgPool['query'] = (text, params) => {
    let inTime = known.get(text)
    if (!inTime) known.set(text, (inTime = inDatabaseTime(text)))
    return pool.query(inTime(Date.now()), params)
  }
  return Object.create(pool, { query: { value: query } }) as PgPool
}

/** @returns the statement for a moment of the process, milliseconds since 1970 */
export function inDatabaseTime(statement: string): (now: number) => string {
  // The comment before it names parameters as well.
  const text = statement.replace(/^(\s*--.*\n)*/, '')
  const apart = `(${NOW} - @now)`
  const moved = /\bnext_(delay|signal)\(/.test(text) ? moveOut(text, apart) : moveIn(text, apart)
  return moved === text ? () => statement : (now) => moved.replaceAll('@now', String(now))
}

function moveOut(text: string, apart: string): string {
  return text.replace(
    /next_delay(\(\$1\))?( AS next_delay)?(?= FROM|;)/,
    (_, call: string = '') => `next_delay${call} - ${apart} AS next_delay`,
  )
}

function moveIn(text: string, apart: string): string {
  // The text of this one is no call of a function.
  const isExtendLocks = text.includes('locked_until_ms = $5')
  const places = isExtendLocks ? [5] : (MOMENTS_IN[/\b([a-z_]+)\(\s*\$1/.exec(text)?.[1] ?? ''] ?? [])
  return places.reduce(
    (moved, place) =>
      moved.replace(new RegExp(`\\$${place}(?!\\d)(::bigint)?`), () => `($${place}::bigint + ${apart})`),
    text,
  )
}
