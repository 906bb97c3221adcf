import { describe, expect, it } from 'vitest'
import { DELIVERY_SCHEDULE, nextDelay } from './schedule.ts'

describe('nextDelay', () => {
  it('follows the schedule of the Standard Webhooks, for about 76 hours', () => {
    const delays = DELIVERY_SCHEDULE.slice(1).map((_, index) => nextDelay(index + 1, { random: 0 }))
    expect(delays.slice(0, 3)).toEqual([5000, 300_000, 1_800_000])
    expect(delays.reduce((sum, delay) => sum + delay, 0) / 3_600_000).toBeCloseTo(75.6, 1)
  })

  it('adds up to a tenth', () => {
    expect(nextDelay(1, { random: 1 })).toBe(5500)
  })

  it('gives a receiver the time it asks for, up to a day', () => {
    expect(nextDelay(1, { retryAfter: 60_000, random: 0 })).toBe(60_000)
    expect(nextDelay(1, { retryAfter: 1e12, random: 0 })).toBe(86_400_000)
    expect(nextDelay(2, { retryAfter: 1000, random: 0 })).toBe(300_000)
  })
})
