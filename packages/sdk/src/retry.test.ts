import { expect, test } from 'vitest'
import { backoff, jittered, parseRetryAfter, retryDelay } from './retry.ts'

test('delays double from half a second to eight', () => {
  expect([1, 2, 3, 4, 5, 6, 60].map(backoff)).toEqual([500, 1000, 2000, 4000, 8000, 8000, 8000])
})

test('jitter takes up to half away', () => {
  expect([0, 0.5, 1].map((random) => jittered(1000, random))).toEqual([500, 750, 1000])
  expect(retryDelay(3, undefined, 0)).toBe(1000)
})

test('what the server asks for is obeyed as it stands', () => {
  expect(retryDelay(1, 30_000, 0)).toBe(30_000)
  expect(retryDelay(9, 0, 1)).toBe(0)
})

test('Retry-After is seconds or a date', () => {
  const now = Date.parse('2026-03-14T09:26:53Z')
  expect(parseRetryAfter('2', now)).toBe(2000)
  expect(parseRetryAfter('0.5', now)).toBe(500)
  expect(parseRetryAfter('Sat, 14 Mar 2026 09:27:03 GMT', now)).toBe(10_000)
  expect(parseRetryAfter('Sat, 14 Mar 2026 09:00:00 GMT', now)).toBe(0)
  expect(parseRetryAfter('-5', now)).toBe(0)
  for (const header of [null, '', ' ', 'soon']) expect(parseRetryAfter(header, now)).toBeUndefined()
})
