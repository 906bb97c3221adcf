/**
 * Release: a worker gives its job back.
 *
 * From `processing`, by the lease's holder, or by the server for a worker that has gone. Atomic: BullMQ takes the job from the token's holder and puts
 * it into the line in one step. Then: it is the next to be claimed, and no attempt is used.
 */
import type { LeaseEnd } from '@kinora/protocol'
import { asHolder } from '../leases/lease-book.ts'
import { dropResults } from '../leases/results.ts'
import type { ModelQueue } from '../queues.ts'
import { reach } from '../stores/outage.ts'
import { putBack } from './end.ts'
import type { TransitionParts } from './parts.ts'

export function createRelease({ storage, leases, reader, logger }: TransitionParts) {
  return async (leaseId: string): Promise<LeaseEnd> => {
    const found = await leases.find(leaseId)
    if ('ended' in found) return found.ended
    const { model, bull } = found
    const jobId = bull.id ?? ''
    dropResults(storage, leaseId, logger)
    await asHolder(() => putBack(model, { bull, token: leaseId }))
    const view = await reader.keepEnd(jobId)
    return { job_id: jobId, status: view?.job.status ?? 'queued' }
  }
}

/** Gives back a job that was claimed for a worker that had gone. */
export async function giveBack(
  model: ModelQueue,
  { jobId, token }: { readonly jobId: string; readonly token: string },
): Promise<void> {
  const bull = await reach(() => model.queue.getJob(jobId))
  if (bull) await putBack(model, { bull, token })
}
