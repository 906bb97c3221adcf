/**
 * Fail: an attempt came to nothing, and so does the job where it was the last one, or another would not help.
 *
 * From `processing`, by the lease's holder. Atomic: the outcome is set with the lock's token; where another attempt follows, BullMQ takes the job from the
 * token's holder ({@link retry}). Then: the tenant is told.
 */
import type { FailRequest, LeaseEnd } from '@kinora/protocol'
import { ATTEMPTS } from '../jobs/attempts.ts'
import type { LeaseRecord } from '../jobs/record.ts'
import { dropResults } from '../leases/results.ts'
import { ifThere } from '../reading/reader.ts'
import type { TransitionParts } from './parts.ts'
import { retry } from './retry.ts'
import { hear } from './start.ts'

export function createFail(parts: TransitionParts) {
  const { storage, leases, logger } = parts

  return async (
    leaseId: string,
    { error, error_code: code = 'engine_error', retryable = true }: FailRequest,
  ): Promise<LeaseEnd> => {
    const lease = await leases.find(leaseId)
    const isHeld = await hear(parts, lease)
    dropResults(storage, leaseId, logger)
    return isHeld ? failAttempt(parts, lease, { code, message: error, retryable }) : leases.ended(lease)
  }
}

export interface Failure {
  readonly code: string
  readonly message: string
  readonly retryable: boolean
}

/** @throws ApiError `lease_lost` */
export async function failAttempt(
  parts: TransitionParts,
  lease: LeaseRecord,
  { code, message, retryable }: Failure,
): Promise<LeaseEnd> {
  const { reader, leases, end, logger } = parts
  const { job_id: jobId } = lease
  // The claim's note counts, and not BullMQ's counts of now: they are the same as long as the lease lives.
  const last = lease.attempt >= ATTEMPTS
  logger.info({ job_id: jobId, code, error: message, again: retryable && !last }, 'an attempt failed')
  if (retryable && !last) return retry(parts, lease, { code, message })
  const job = await ifThere(reader.known(jobId))
  const ended = job && (await end.asHolder('fail', job, lease.lease_id, { status: 'failed', code, message }))
  return ended?.mine ? { job_id: jobId, status: 'failed' } : leases.ended(lease)
}
