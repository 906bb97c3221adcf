import { expect, test } from 'vitest'
import { DEFAULT_MAX_ATTEMPTS, pollPause, retryPause, tellPause } from './pauses.ts'

const HOUR = 3_600_000

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

test('the attempts of a job together outlast a night without a server', () => {
  let total = 0
  for (let attempt = 1; attempt < DEFAULT_MAX_ATTEMPTS; attempt++) total += retryPause(attempt, 0, 0)
  expect(total).toBeGreaterThan(12 * HOUR)
})

test('telling the server that a job has ended goes on for ever: hourly for a week, then daily', () => {
  expect([1, 2, 3, 13, 199].map((attempt) => tellPause(attempt))).toEqual([1000, 2000, 4000, HOUR, HOUR])
  expect(tellPause(200)).toBe(24 * HOUR)
  expect(tellPause(100_000)).toBe(24 * HOUR)
  expect(tellPause(1, 30_000)).toBe(30_000)
})

test('polls slow down while a job waits, sooner beside a webhook', () => {
  /** Polls of a job that stands still, from one time to another. */
  function polls(hasWebhook: boolean, from: number, to: number): number {
    let count = 0
    for (let time = 0; time < to; count += Number(time > from && time < to)) time += pollPause(time, hasWebhook)
    return count
  }
  expect([pollPause(0, false), pollPause(0, true)]).toEqual([2000, 5000])
  expect([polls(false, 0, HOUR), polls(true, 0, HOUR)]).toEqual([74, 22])
  expect([polls(false, HOUR, 2 * HOUR), polls(true, HOUR, 2 * HOUR)]).toEqual([12, 4])
  expect([pollPause(24 * HOUR, false), pollPause(24 * HOUR, true)]).toEqual([300_000, 900_000])
})
