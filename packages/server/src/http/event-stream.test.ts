import type { Job } from '@kinora/protocol'
import { pino } from 'pino'
import { describe, expect, it, vi } from 'vitest'
import type { Snapshot } from '../core.ts'
import { eventStream } from './event-stream.ts'

const logger = pino({ level: 'silent' })
const job: Job = {
  job_id: 'job_1',
  status: 'processing',
  created_at: '2026-03-14T09:26:53.000Z',
  model: 'camera',
  attempt: 1,
  duration: 5,
  seed: 7,
}
const snapshot = (revision: string): Snapshot => ({ revision, job })

async function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

describe('a stream of events', () => {
  it('sends snapshots and ends with them', async () => {
    const answer = eventStream({
      snapshots: async function* () {
        yield snapshot('1')
        yield snapshot('2')
      },
      signals: [],
      logger,
    })
    const data = JSON.stringify(job)
    expect(await answer.text()).toBe(
      `retry: 2000\nevent: job\nid: 1\ndata: ${data}\n\nevent: job\nid: 2\ndata: ${data}\n\n`,
    )
  })

  it('ends the snapshots when the reader goes away, and when the server closes', async () => {
    for (const leave of ['reader', 'server'] as const) {
      const closing = new AbortController()
      let left = false
      const answer = eventStream({
        snapshots: async function* (signal) {
          try {
            yield snapshot('1')
            await untilAborted(signal)
          } finally {
            left = true
          }
        },
        signals: [closing.signal],
        logger,
      })
      const reader = answer.body!.getReader()
      await reader.read()
      if (leave === 'reader') await reader.cancel()
      else closing.abort()
      await vi.waitFor(() => expect(left).toBe(true))
      if (leave === 'server') while (!(await reader.read()).done);
    }
  })

  it('keeps an idle stream open with comments', async () => {
    const answer = eventStream({
      snapshots: async function* (signal) {
        await untilAborted(signal)
        yield snapshot('too late')
      },
      signals: [],
      logger,
      heartbeat: 0.01,
    })
    const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
    expect((await reader.read()).value).toBe('retry: 2000\n')
    expect((await reader.read()).value).toBe(': still here\n')
    await reader.cancel()
  })

  it('takes no snapshots while nobody reads', async () => {
    let taken = 0
    const answer = eventStream({
      snapshots: async function* () {
        for (;;) {
          taken++
          yield snapshot(String(taken))
        }
      },
      signals: [],
      logger,
    })
    const reader = answer.body!.getReader()
    await reader.read()
    const before = taken
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
    expect(taken - before).toBeLessThan(20)
    for (let count = 0; count < 100; count++) await reader.read()
    expect(taken).toBeGreaterThan(80)
    await reader.cancel()
  })

  it('ends when snapshots can no longer be had, so that the client asks again', async () => {
    const answer = eventStream({
      snapshots: async function* () {
        yield snapshot('1')
        throw new Error('the store is away')
      },
      signals: [],
      logger,
    })
    expect(await answer.text()).toMatch(/id: 1\n/)
  })
})
