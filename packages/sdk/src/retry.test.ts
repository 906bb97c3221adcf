import { expect, test } from 'vitest'
import { backoff, jittered, retryDelay } from './retry.ts'

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
