/** BullMQ's statements of the version that package.json pins: whatever takes a moment of the process's has to be moved to the database's clock. */
import { createRequire } from 'node:module'
import { expect, it } from 'vitest'
import { inDatabaseTime } from './clock.ts'

const require = createRequire(import.meta.url)
const { SQL_COMMANDS } = require(require.resolve('bullmq').replace(/index\.js$/, 'postgres/sql-scripts.js')) as {
  readonly SQL_COMMANDS: Readonly<Record<string, string>>
}

/** What Kinora does not use of BullMQ: schedulers, deduplication, rate limits, changed delays, retries of ended jobs, flows, relays. */
const NOT_OURS =
  /^(add_job_scheduler|update_job_scheduler|get_deduplication_job_id|remove_deduplication_key|get_rate_limit_ttl|set_rate_limit|move_active_to_wait|change_delay|retry_jobs|remove_child_dependency|relay_publish)\.sql$/

/** Each statement of BullMQ's says in its comment what its parameters are. */
function momentsOf(statement: string): string[] {
  const comment = statement.split('\n').filter((line) => line.startsWith('--'))
  const moments = comment.join(' ').matchAll(/\$(\d+) (?:now(?:_ms)?|finished_on|process_at|timestamp)\b/g)
  return [...moments].map(([, place = '']) => place)
}

it('moves every moment that goes in, and no other parameter', () => {
  const taking = Object.entries(SQL_COMMANDS).filter(
    ([name, statement]) => momentsOf(statement).length > 0 && !NOT_OURS.test(name) && name !== 'next_signal.sql',
  )
  expect(taking.map(([name]) => name)).toContain('move_stalled_jobs_to_wait.sql')
  expect(taking.length).toBeGreaterThanOrEqual(10)
  for (const [name, statement] of taking) {
    const moved = [...inDatabaseTime(statement)(1234).matchAll(/\(\$(\d+)::bigint \+ \(.*? - 1234\)\)/g)]
    expect([name, ...moved.map(([, place]) => place)]).toEqual([name, ...momentsOf(statement)])
  }
})

it('moves the moments that come out the other way', () => {
  for (const name of ['next_delay.sql', 'next_signal.sql']) {
    expect(inDatabaseTime(SQL_COMMANDS[name] ?? '')(1234)).toMatch(/next_delay(\(\$1\))? - \(.* - 1234\) AS next_delay/)
  }
})

it('leaves everything else as it is', () => {
  for (const name of ['add_job.sql', 'update_progress.sql', 'get_counts.sql']) {
    const statement = SQL_COMMANDS[name] ?? ''
    expect(statement).not.toBe('')
    expect(inDatabaseTime(statement)(1234)).toBe(statement)
  }
})
