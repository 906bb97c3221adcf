/** How often a picture is tried, and when. */

/** Milliseconds for one picture, redirects and body included. */
export const PICTURE_TIMEOUT = 60_000

/**
 * Milliseconds from one try of a picture to the next. With a minute for each of the five tries all is decided within ten minutes, not counting the
 * time that a picture waits for its turn.
 */
export const TRY_DELAYS: readonly number[] = [5000, 20_000, 75_000, 180_000]

/** Milliseconds that a fetch waits whose tenant has its share of this process: between these two, lest all come back at once. */
const PUT_BACK = [3000, 5000] as const

/** A fetch that was put back again and again waits up to so many times as long: ten thousand of them must not keep the queue busy. */
const LONGEST_PUT_BACK = 12

/**
 * Milliseconds until a fetch that found no room is claimed again. Whole ones: BullMQ takes no others on Postgres.
 * @param claims how often it has been claimed so far
 */
export function putBackDelay(claims: number, random: () => number = Math.random): number {
  const [least, most] = PUT_BACK
  return Math.round((least + random() * (most - least)) * Math.min(Math.max(claims, 1), LONGEST_PUT_BACK))
}
