/** Requests in a minute and bytes in a day, counted in the store for all processes together. */
import type { RateLimiterAbstract } from 'rate-limiter-flexible'
import { RateLimiterRes } from 'rate-limiter-flexible'
import type { CounterOptions } from '../stores/store.ts'
import type { AllowedBook } from './allowed.ts'
import { tooManyBytes, tooManyRequests } from './refusals.ts'

const MINUTE = 60
const DAY = 24 * 3600

/** Bytes are counted in these, as a counter in Postgres has 31 bits. */
const UNIT = 1024

export interface Rates {
  /** Counts a request. @throws ApiError `too_many_requests` */
  readonly request: (tenant: string) => Promise<void>
  /**
   * Counts bytes of pictures before they are taken.
   * @param bytes 0 where nobody knows yet: then it is only asked whether any are left
   * @returns what gives them back, for what was not taken after all
   * @throws ApiError `too_many_bytes`
   */
  readonly take: (tenant: string, bytes: number) => Promise<() => Promise<void>>
  /** Counts bytes that have come already: whoever sends more is refused from then on. */
  readonly charge: (tenant: string, bytes: number) => Promise<void>
}

export interface RatesOptions {
  readonly counter: (options: CounterOptions) => RateLimiterAbstract
  readonly allowed: AllowedBook
}

export function createRates({ counter, allowed }: RatesOptions): Rates {
  /** A counter knows its limit, and tenants may have different ones; what they count is the same. */
  const counters = new Map<string, RateLimiterAbstract>()

  function of(name: 'requests' | 'bytes', points: number, seconds: number): RateLimiterAbstract {
    const key = `${name}:${points}`
    const found = counters.get(key) ?? counter({ name, points, seconds })
    counters.set(key, found)
    return found
  }

  async function bytesOf(tenant: string) {
    const { bytesPerDay: limit } = await allowed.of(tenant)
    return limit === 0 ? null : { limit, counter: of('bytes', Math.ceil(limit / UNIT), DAY) }
  }

  return {
    async request(tenant) {
      const { requestsPerMinute: limit } = await allowed.of(tenant)
      if (limit === 0) return
      const over = await consume(of('requests', limit, MINUTE), tenant, 1)
      if (over) throw tooManyRequests(limit, seconds(over))
    },

    async take(tenant, bytes) {
      const own = await bytesOf(tenant)
      if (!own) return async () => undefined
      const { limit, counter: counted } = own
      const points = Math.ceil(bytes / UNIT)
      if (points === 0) {
        const state = await counted.get(tenant)
        if (state && state.consumedPoints >= counted.points) throw tooManyBytes(limit, seconds(state))
        return async () => undefined
      }
      const giveBack = async (): Promise<void> => void (await counted.reward(tenant, points))
      const over = await consume(counted, tenant, points)
      if (!over) return giveBack
      await giveBack()
      throw tooManyBytes(limit, seconds(over))
    },

    async charge(tenant, bytes) {
      const own = await bytesOf(tenant)
      await own?.counter.penalty(tenant, Math.ceil(bytes / UNIT))
    },
  }
}

/** @returns how it stands where that was too much */
async function consume(counter: RateLimiterAbstract, tenant: string, points: number): Promise<RateLimiterRes | null> {
  try {
    await counter.consume(tenant, points)
    return null
  } catch (refusal) {
    if (refusal instanceof RateLimiterRes) return refusal
    throw refusal
  }
}

function seconds({ msBeforeNext }: RateLimiterRes): number {
  return Math.max(1, Math.ceil(msBeforeNext / 1000))
}
