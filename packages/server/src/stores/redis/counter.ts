/** Counters of a window of time in Redis. */
import type { Redis } from 'ioredis'
import { RateLimiterMemory, RateLimiterRedis } from 'rate-limiter-flexible'
import type { Store } from '../store.ts'

export function createRedisCounters(redis: Redis, prefix: string): Store['counter'] {
  return ({ name, points, seconds }) => {
    const window = { keyPrefix: `${prefix}:rate:${name}`, points, duration: seconds }
    return new RateLimiterRedis({
      ...window,
      storeClient: redis,
      rejectIfRedisNotReady: true,
      // Whoever is over it is told so from memory.
      inMemoryBlockOnConsumed: points + 1,
      // While the store is away each process counts by itself.
      insuranceLimiter: new RateLimiterMemory(window),
    })
  }
}
