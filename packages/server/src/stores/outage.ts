/** Tells a store that is away from an operation that was wrong. */
import { ApiError } from '../api-error.ts'

/** Seconds after which a caller may try again. */
const RETRY_AFTER = 2

/** How long an operation on the store may take before it counts as away, in milliseconds: past the drivers' own limits. */
const DEADLINE = 6000

const CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'NR_CLOSED',
  // Postgres: shutting down, starting, too many clients, statement time-out, read-only standby, out of disk.
  '57P01',
  '57P02',
  '57P03',
  '53300',
  '57014',
  '25006',
  '53100',
])

const MESSAGES =
  /connection (is closed|terminated|timeout|ended)|stream isn't writeable|command timed out|max retries per request|query read timeout|timeout exceeded when trying to connect|client has encountered a connection error|not queryable|^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|MISCONF|OOM|NOAUTH|UNKILLABLE|BUSY)\b/i

/** Whether an error says that the store is away or takes no writes, so that the same call may work later. */
export function isOutage(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.some(isOutage)
  if (!(error instanceof Error)) return false
  const code = 'code' in error ? String(error.code) : ''
  return CODES.has(code) || code.startsWith('08') || MESSAGES.test(error.message) || isOutage(error.cause)
}

/** The refusal that callers get while the store is away. */
export function queueUnavailable(cause?: unknown): ApiError {
  return new ApiError('queue_unavailable', 'The queue cannot be reached at present. Nothing was lost; try again.', {
    retryAfter: RETRY_AFTER,
    cause,
  })
}

/**
 * Runs an operation on the store. An outage becomes `queue_unavailable`; one that never answers does too, after six seconds.
 * @param late what to do with a result that came after all, when the caller had been refused already
 */
export async function reach<T>(operation: () => Promise<T>, late?: (result: T) => void): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  let expired = false
  try {
    const running = operation()
    if (late) void tellLate(running, late, () => expired)
    return await Promise.race([
      running,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          expired = true
          reject(queueUnavailable())
        }, DEADLINE)
        timer.unref()
      }),
    ])
  } catch (error) {
    if (isOutage(error)) throw queueUnavailable(error)
    throw error
  } finally {
    clearTimeout(timer)
  }
}

async function tellLate<T>(running: Promise<T>, late: (result: T) => void, expired: () => boolean): Promise<void> {
  const result = await running.catch(() => undefined)
  if (result !== undefined && expired()) late(result)
}
