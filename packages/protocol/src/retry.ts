/** When the same request may work later, and how long to wait for that: one answer for clients, server and workers. */

/**
 * Statuses after which the same request may succeed: time-outs, throttling, and a server in trouble. 520 to 524 and 530 are Cloudflare's, for a
 * server behind it that is away.
 */
export const RETRYABLE_STATUSES: readonly number[] = [
  408, 425, 429, 500, 502, 503, 504, 507, 520, 521, 522, 523, 524, 530,
]

/** Whether the same request may succeed after an answer with this status. */
export function isRetryableStatus(status: number): boolean {
  return RETRYABLE_STATUSES.includes(status)
}

/**
 * A `Retry-After` header (seconds, or an HTTP date) as milliseconds from `now`, never less than 0; undefined when there is none or it makes no
 * sense.
 */
export function parseRetryAfter(header: string | null | undefined, now: number = Date.now()): number | undefined {
  if (header === null || header === undefined || header.trim() === '') return undefined
  const seconds = Number(header)
  const milliseconds = Number.isNaN(seconds) ? Date.parse(header) - now : seconds * 1000
  return Number.isFinite(milliseconds) ? Math.max(0, milliseconds) : undefined
}
