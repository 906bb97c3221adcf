import { expect, test } from 'vitest'
import { isRetryableStatus, parseRetryAfter } from './index.ts'

const now = Date.parse('2026-03-14T09:26:53Z')

test('Retry-After is seconds or a date, and never a time in the past', () => {
  expect(parseRetryAfter('2', now)).toBe(2000)
  expect(parseRetryAfter('0.5', now)).toBe(500)
  expect(parseRetryAfter('Sat, 14 Mar 2026 09:27:03 GMT', now)).toBe(10_000)
  expect(parseRetryAfter('Sat, 14 Mar 2026 09:00:00 GMT', now)).toBe(0)
  expect(parseRetryAfter('-5', now)).toBe(0)
  for (const header of [null, undefined, '', ' ', 'soon', 'Infinity'])
    expect(parseRetryAfter(header, now)).toBeUndefined()
})

test('what is wrong with the request stays wrong; what is wrong with the server may pass', () => {
  expect([408, 429, 500, 503, 522].filter(isRetryableStatus)).toEqual([408, 429, 500, 503, 522])
  expect([200, 301, 400, 401, 404, 410, 413, 422, 501, 505].filter(isRetryableStatus)).toEqual([])
})
