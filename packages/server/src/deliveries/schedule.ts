/** When a delivery is tried again: the schedule of the Standard Webhooks. Pure functions. */

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Milliseconds before each attempt. The first is made at once, the last about 76 hours later. */
export const DELIVERY_SCHEDULE: readonly number[] = [
  0,
  5000,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
]

/** A receiver may ask for more time, up to this, in milliseconds. */
const LONGEST_RETRY_AFTER = 24 * HOUR

/**
 * Milliseconds until the next attempt.
 * @param made attempts made so far, at least 1
 * @param retryAfter milliseconds that the receiver asked for
 * @param random 0..1: up to a tenth is added, so that receivers that came back are not hit all at once
 */
export function nextDelay(
  made: number,
  { schedule = DELIVERY_SCHEDULE, retryAfter = 0, random = Math.random() } = {},
): number {
  const planned = schedule[Math.min(made, schedule.length - 1)] ?? 0
  return Math.round(Math.max(planned * (1 + random / 10), Math.min(retryAfter, LONGEST_RETRY_AFTER)))
}
