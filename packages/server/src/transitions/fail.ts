/**
 * Fail: an attempt came to nothing, and so does the job where it was the last one, or another would not help.
 *
 * From `processing`, by the lease's holder. Atomic: BullMQ takes the job from the token's holder in the step in which it ends, or waits again
 * ({@link retry}). Then: the tenant is told.
 */
import type { FailRequest, LeaseEnd } from '@kinora/protocol'
import { ATTEMPTS } from '../jobs/video-job.ts'
import { attemptsUsed } from '../jobs/view.ts'
import { leaseLost } from '../leases/lease-book.ts'
import { dropResults } from '../leases/results.ts'
import type { Locked } from './end.ts'
import type { TransitionParts } from './parts.ts'
import { retry } from './retry.ts'

export function createFail(parts: TransitionParts) {
  const { storage, leases, end, logger } = parts

  return async (
    leaseId: string,
    { error, error_code: code = 'engine_error', retryable = true }: FailRequest,
  ): Promise<LeaseEnd> => {
    const found = await leases.find(leaseId)
    if ('ended' in found) return found.ended
    const locked = { bull: found.bull, token: leaseId }
    dropResults(storage, leaseId, logger)
    if (found.bull.data.canceled_at !== undefined) {
      const view = await end.asHolder('cancel', locked, { status: 'canceled' })
      if (!view) throw leaseLost()
      return { job_id: found.bull.id ?? '', status: view.job.status }
    }
    return failAttempt(parts, locked, { code, message: error, retryable })
  }
}

export interface Failure {
  readonly code: string
  readonly message: string
  readonly retryable: boolean
}

/** @throws ApiError `lease_lost` */
export async function failAttempt(
  { end, logger }: TransitionParts,
  locked: Locked,
  { code, message, retryable }: Failure,
): Promise<LeaseEnd> {
  const { bull } = locked
  const jobId = bull.id ?? ''
  const last = attemptsUsed(bull) + 1 >= ATTEMPTS
  logger.info({ job_id: jobId, code, error: message, again: retryable && !last }, 'an attempt failed')
  if (retryable && !last) {
    await retry(locked, { code, message })
    return { job_id: jobId, status: 'queued' }
  }
  const view = await end.asHolder('fail', locked, { status: 'failed', code, message })
  if (!view) throw leaseLost()
  return { job_id: jobId, status: view.job.status }
}
