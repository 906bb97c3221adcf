/**
 * Release: a worker gives its job back.
 *
 * From `processing`, by the lease's holder, or by the server for a worker that has gone. Atomic: BullMQ takes the job from the token's holder and puts
 * it into the line in one step. Then: it is the next to be claimed, and no attempt is used.
 */
import type { LeaseEnd } from '@kinora/protocol'
import { dropResults } from '../leases/results.ts'
import { isRefusal, type ModelQueue } from '../queues.ts'
import { reach } from '../stores/outage.ts'
import type { TransitionParts } from './parts.ts'

export function createRelease({ queues, states, storage, leases, reader, logger }: TransitionParts) {
  return async (leaseId: string): Promise<LeaseEnd> => {
    const lease = await leases.find(leaseId)
    const { job_id: jobId, model } = lease
    // Looked at first: BullMQ on Postgres answers a wrong token as if it had given the job back.
    const holder = await reach(() => states.holder(reader.place(lease)))
    dropResults(storage, leaseId, logger)
    if (holder === leaseId && (await giveBack(queues.of(model), { jobId, token: leaseId }))) {
      return { job_id: jobId, status: 'queued' }
    }
    return leases.ended(lease)
  }
}

/**
 * Gives a claimed job back to the head of the queue, without using an attempt.
 * @returns false when the lock is somebody else's by now
 */
export async function giveBack(
  model: ModelQueue,
  { jobId, token }: { readonly jobId: string; readonly token: string },
): Promise<boolean> {
  const bull = await reach(() => model.queue.getJob(jobId))
  if (!bull) return false
  try {
    await reach(() => bull.moveToWait(token))
  } catch (error) {
    if (isRefusal(error)) return false
    throw error
  }
  await toHead(model, jobId)
  return true
}

/** Waiting at a priority of its own a job that came back would wake nobody on Redis, and stand behind all others on Postgres; the head of the queue does. */
export async function toHead(model: ModelQueue, jobId: string): Promise<void> {
  const bull = await reach(() => model.queue.getJob(jobId))
  await reach(() => bull?.changePriority({ priority: 0, lifo: true }) ?? Promise.resolve()).catch((error: unknown) => {
    if (!isRefusal(error)) throw error
  })
}
