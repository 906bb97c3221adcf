/** When to try again. Pure functions: attempt and a random number in, milliseconds out. */

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
