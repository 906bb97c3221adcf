import { expect, test } from 'vitest'
import { DEFAULT_MAX_ATTEMPTS, pollPause, retryPause } from './pauses.ts'

test('retries double their pause up to ten minutes', () => {
  const pauses = Array.from({ length: 12 }, (_, index) => retryPause(index + 1, 0, 0) / 1000)
  expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600])
})

test('chance makes a pause up to a fifth longer, never shorter', () => {
  expect(retryPause(3, 0, 1)).toBe(4800)
})

test('what the server asks for is waited at least, within reason', () => {
  expect(retryPause(1, 30_000, 0)).toBe(30_000)
  expect(retryPause(4, 2_000, 0)).toBe(8_000)
  expect(retryPause(1, 1e9, 0)).toBe(3_600_000)
})

test('the attempts of a job together outlast a quarter of an hour without a server', () => {
  let total = 0
  for (let attempt = 1; attempt < DEFAULT_MAX_ATTEMPTS; attempt++) total += retryPause(attempt, 0, 0)
  expect(total).toBeGreaterThan(15 * 60_000)
})

test('polls grow, to half a minute without a webhook and to five minutes beside one', () => {
  expect(pollPause(0, false)).toBe(2_000)
  expect(pollPause(1, false)).toBeGreaterThan(pollPause(0, false))
  expect(pollPause(100, false)).toBe(30_000)
  expect(pollPause(0, true)).toBe(5_000)
  expect(pollPause(100, true)).toBe(300_000)
})
