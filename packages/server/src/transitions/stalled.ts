/**
 * Stalled: a worker has gone without a word, and its lease has run out.
 *
 * From `processing`, by the server. Atomic: BullMQ moves the job back into the line in the step in which it sees that the lock has gone. Then: the job is
 * the next to be claimed; one whose attempts are used up ends, whether or not a worker asks for it, as long as nobody holds it.
 */
import { ATTEMPTS, attemptsOf, SILENT_CLAIMS } from '../jobs/attempts.ts'
import type { Ending } from '../jobs/ending.ts'
import type { LiveState } from '../jobs/live.ts'
import type { ModelQueue } from '../queues.ts'
import { ifThere, type KnownJob } from '../reading/reader.ts'
import type { TransitionParts } from './parts.ts'
import { toHead } from './release.ts'

export function createStalled({ end, reader, logger }: TransitionParts) {
  return async (model: ModelQueue, jobId: string): Promise<void> => {
    const job = await ifThere(reader.known(jobId))
    if (!job?.live || job.live.token !== null) return
    const usedUp = usedUpEnding(job.live)
    logger.warn({ job_id: jobId, attempts: attemptsOf(job.live).used }, 'a worker was lost with its job')
    if (usedUp) await end.anyway('stalled', job, usedUp, { nobodys: true })
    else await toHead(model, jobId)
  }
}

/** Ends a claimed job whose attempts are used up. @returns whether it did */
export async function endUsedUp(
  { end }: TransitionParts,
  job: KnownJob,
  { token, deferred }: { readonly token: string; readonly deferred?: string | undefined },
): Promise<boolean> {
  const usedUp: FailedEnding | null =
    deferred === undefined
      ? job.live && usedUpEnding(job.live)
      : { status: 'failed', code: 'internal_error', message: deferred }
  if (usedUp) await end.asHolder('stalled', job, token, usedUp)
  return usedUp !== null
}

type FailedEnding = Ending & { readonly status: 'failed' }

function usedUpEnding(live: LiveState): FailedEnding | null {
  const { used, before } = attemptsOf(live)
  const lost = { status: 'failed', code: 'worker_lost' } as const
  if (used >= ATTEMPTS) {
    const message = `Every worker that tried this job stopped without a word, ${used} attempts in all: it may need more memory than they have.`
    return { ...lost, message }
  }
  if (before.silent_in_row < SILENT_CLAIMS) return null
  const message = `${before.silent_in_row} workers in a row took this job and were never heard of again.`
  return { ...lost, message }
}
