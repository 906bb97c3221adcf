/**
 * Retry: a failed attempt that is not the last.
 *
 * From `processing`, by the lease's holder. Atomic: BullMQ takes the job from the token's holder and counts the attempt in one step. Then: it waits
 * for a moment that grows with each attempt, and goes to the next worker.
 */
import type { LeaseEnd } from '@kinora/protocol'
import type { LeaseRecord } from '../jobs/record.ts'
import { failureText } from '../jobs/video-job.ts'
import { isRefusal } from '../queues.ts'
import { reach } from '../stores/outage.ts'
import type { TransitionParts } from './parts.ts'

/** @throws ApiError `lease_lost` */
export async function retry(
  { queues, leases }: TransitionParts,
  lease: LeaseRecord,
  { code, message }: { readonly code: string; readonly message: string },
): Promise<LeaseEnd> {
  const { job_id: jobId, lease_id: leaseId, model } = lease
  const bull = await reach(() => queues.of(model).queue.getJob(jobId))
  if (!bull) return leases.ended(lease)
  try {
    await reach(() => bull.moveToFailed(new Error(failureText(code, message)), leaseId, false))
    return { job_id: jobId, status: 'queued' }
  } catch (error) {
    // Somebody ended it in between.
    if (isRefusal(error)) return leases.ended(lease)
    throw error
  }
}
