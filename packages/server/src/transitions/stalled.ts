/**
 * Stalled: a worker has gone without a word, and its lease has run out.
 *
 * From `processing`, by the server. Atomic: BullMQ moves the job back into the line in the step in which it sees that the lock has gone. Then: the job is
 * the next to be claimed; one whose attempts are used up ends, whether or not a worker asks for it.
 */
import type { Ending } from '../jobs/ending.ts'
import { ATTEMPTS, type VideoJob } from '../jobs/video-job.ts'
import { attemptsUsed } from '../jobs/view.ts'
import type { ModelQueue } from '../queues.ts'
import { reach } from '../stores/outage.ts'
import type { Locked } from './end.ts'
import type { TransitionParts } from './parts.ts'

export function createStalled({ end, logger }: TransitionParts) {
  return async (model: ModelQueue, jobId: string): Promise<void> => {
    const bull = await reach(() => model.queue.getJob(jobId))
    if (!bull) return
    logger.warn({ job_id: jobId, attempts: attemptsUsed(bull) }, 'a worker was lost with its job')
    const overdue = overdueEnding(bull)
    if (overdue?.status === 'canceled') await end.anyway('cancel', { model, jobId }, overdue)
    else if (overdue) await end.anyway('stalled', { model, jobId }, overdue)
    // Redis wakes nobody for it, and Postgres puts it behind all others: it has waited long enough.
    else await reach(() => bull.changePriority({ priority: 0, lifo: true })).catch(() => undefined)
  }
}

/** Ends a job that should have ended before it was claimed. @returns whether it did */
export async function endOverdue({ end }: TransitionParts, locked: Locked): Promise<boolean> {
  const overdue = overdueEnding(locked.bull)
  if (!overdue) return false
  if (overdue.status === 'canceled') await end.asHolder('cancel', locked, overdue)
  else await end.asHolder('stalled', locked, overdue)
  return true
}

/** Why a job is to end instead of being worked on. */
function overdueEnding(bull: VideoJob): Exclude<Ending, { status: 'completed' }> | null {
  if (bull.data.canceled_at !== undefined) return { status: 'canceled' }
  if (bull.deferredFailure) return { status: 'failed', code: 'internal_error', message: bull.deferredFailure }
  const used = attemptsUsed(bull)
  if (used < ATTEMPTS) return null
  return {
    status: 'failed',
    code: 'worker_lost',
    message: `Every worker that tried this job stopped without a word, ${used} attempts in all: it may need more memory than they have.`,
  }
}
