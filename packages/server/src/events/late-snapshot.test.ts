/** Two events of one job come close together, and the read for the first takes longer than the read for the second, as happens with a pool of connections. */
import { EventEmitter } from 'node:events'
import { expect, it } from 'vitest'
import type { Job } from '@kinora/protocol'
import type { Snapshot } from '../jobs/request.ts'
import { createEvents } from './events.ts'

const record = { job_id: 'a', tenant: 't' } as const

/** The state that the store has at a moment of the test; each read takes as long as the test says, and answers with what stood when it began. */
function eventsOver(delays: readonly number[]) {
  const queue = Object.assign(new EventEmitter(), { close: async () => undefined })
  const rest = [...delays]
  const state = { status: 'processing' as Job['status'], progress: 10 }
  const events = createEvents({
    queues: { all: [{ queue: { getRanges: async () => [] } }], listen: () => queue } as never,
    reader: {
      record: async () => record as never,
      async snapshots(ids) {
        const seen = { ...state }
        await new Promise((resolve) => setTimeout(resolve, rest.shift() ?? 0))
        return ids.map(() => ({
          tenant: record.tenant,
          revision: JSON.stringify(seen),
          job: { ...record, ...seen } as unknown as Job,
        }))
      },
    },
    history: { open: async () => ['a'], endedSince: async () => [] },
    states: { now: async () => 0 },
    logger: { debug: () => undefined },
  })
  return {
    events,
    changes: (next: Partial<typeof state>, event: 'progress' | 'completed'): void => {
      Object.assign(state, next)
      queue.emit(event, { jobId: 'a' })
    },
  }
}

it.each(['one job’s listener', 'the listener to all of a tenant’s'])(
  'tells %s no older snapshot after a newer one',
  async (who) => {
    const { events, changes } = eventsOver([0, 60, 10])
    const stop = new AbortController()
    const told: string[] = []
    const stream: AsyncIterable<Snapshot> =
      who === 'one job’s listener'
        ? events.job('t', 'a', { signal: stop.signal })
        : events.all('t', { signal: stop.signal })
    const reading = (async () => {
      for await (const { job } of stream) told.push(`${job.status} ${job.progress}`)
    })()
    await expect.poll(() => told).toEqual(['processing 10'])
    changes({ progress: 90 }, 'progress')
    changes({ status: 'completed', progress: 100 }, 'completed')
    await expect.poll(() => told.at(-1)).toBe('completed 100')
    // Nothing is being read any more.
    await new Promise((resolve) => setTimeout(resolve, 100))
    stop.abort()
    await reading
    await events.close()
    expect(told.at(-1)).toBe('completed 100')
  },
)

it('reads for somebody who comes while others are being told, and never what stood before he came', async () => {
  const { events, changes } = eventsOver([0, 60, 0])
  const stop = new AbortController()
  const first = events.job('t', 'a', { signal: stop.signal })[Symbol.asyncIterator]()
  await first.next()
  changes({ progress: 40 }, 'progress')
  changes({ progress: 70 }, 'progress')
  const late = events.job('t', 'a', { signal: stop.signal })[Symbol.asyncIterator]()
  expect((await late.next()).value?.job.progress).toBe(70)
  stop.abort()
  await events.close()
})
