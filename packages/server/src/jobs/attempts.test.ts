import { expect, it } from 'vitest'
import { ATTEMPTS, attemptsOf } from './attempts.ts'
import type { VideoProgress } from './record.ts'

type End = 'lost answer' | 'dead' | 'release' | 'spoken release' | 'failure' | 'unnoted death'

/** A job's leases one after the other, with BullMQ's counts as they grow on every store. */
function leases(...ends: readonly End[]) {
  let made = 0
  let stalled = 0
  let progress: VideoProgress | undefined
  for (const [index, end] of ends.entries()) {
    // A server that dies between BullMQ's claim and ours writes no note.
    if (end !== 'unnoted death') {
      const { used, before } = attemptsOf({ made, stalled, progress })
      const spoke = end === 'dead' || end === 'failure' || end === 'spoken release'
      progress = { lease_id: String(index), attempt: used + 1, started_at: 0, spoke, before }
    }
    if (end === 'failure') made++
    else if (!end.endsWith('release')) stalled++
  }
  return attemptsOf({ made, stalled, progress })
}

it('counts what has spoken, and nothing else', () => {
  const lost = 'lost answer'
  expect(leases().used).toBe(0)
  expect(leases(lost).used).toBe(0)
  expect(leases('dead').used).toBe(1)
  expect(leases('failure').used).toBe(1)
  expect(leases('release', 'spoken release').used).toBe(0)
  expect(leases('unnoted death').used).toBe(0)
  // Nine endings, three of which are attempts, in whatever order.
  const nine = [lost, 'dead', lost, 'release', lost, 'failure', lost, 'dead', lost] as const
  expect(leases(...nine).used).toBe(ATTEMPTS)
  expect(leases(...nine.toReversed()).used).toBe(ATTEMPTS)
  expect(leases('failure', 'unnoted death', 'failure').used).toBe(2)
  expect(leases('dead', 'unnoted death', 'dead').used).toBe(2)
})

it('counts silent claims in a row, and begins anew with each word', () => {
  const row = (...ends: readonly End[]) => leases(...ends).before.silent_in_row
  expect(row('lost answer', 'lost answer', 'unnoted death')).toBe(3)
  expect(row('lost answer', 'release', 'lost answer')).toBe(2)
  expect(row('lost answer', 'lost answer', 'dead')).toBe(0)
  expect(row('lost answer', 'failure', 'lost answer')).toBe(1)
})

it('counts every dead lease of servers before 0.2, which noted nothing', () => {
  const progress = { lease_id: 'a', attempt: 2, started_at: 0 }
  expect(attemptsOf({ made: 1, stalled: 1, progress }).used).toBe(2)
})
