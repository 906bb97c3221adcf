/** When to try again. Pure functions: attempt, header and a random number in, milliseconds out. */

/** Statuses after which the same request may succeed. */
export const RETRYABLE_STATUSES: readonly number[] = [408, 425, 429, 500, 502, 503, 504]

const FIRST_DELAY = 500
const LONGEST_DELAY = 8_000

/** Milliseconds before attempt `attempt + 1`, without jitter: 0.5, 1, 2, 4, 8, 8, … seconds. */
export function backoff(attempt: number): number {
  return Math.min(FIRST_DELAY * 2 ** Math.max(0, attempt - 1), LONGEST_DELAY)
}

/** Between half and all of a delay, so that clients which failed together do not come back together. */
export function jittered(delay: number, random: number = Math.random()): number {
  return delay * (0.5 + random / 2)
}

/**
 * Milliseconds to wait after failed attempt number `attempt` (1 is the first).
 *
 * @param retryAfter what the server asked for, in milliseconds; it is obeyed as it stands
 * @param random 0..1
 */
export function retryDelay(attempt: number, retryAfter?: number, random?: number): number {
  return retryAfter ?? jittered(backoff(attempt), random)
}

/** A Retry-After header (seconds, or an HTTP date) as milliseconds from `now`; undefined when there is none or it makes no sense. */
export function parseRetryAfter(header: string | null, now: number = Date.now()): number | undefined {
  if (header === null || header.trim() === '') return undefined
  const seconds = Number(header)
  const milliseconds = Number.isNaN(seconds) ? Date.parse(header) - now : seconds * 1000
  return Number.isNaN(milliseconds) ? undefined : Math.max(0, milliseconds)
}
