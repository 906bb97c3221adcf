/** Cancels: a mark in the job's data, which shows at once and is honoured wherever the job goes; then the job is ended, whoever holds it. */
import type { Job } from '@kinora/protocol'
import type { Logger } from 'pino'
import { reach } from '../stores/outage.ts'
import { hasEnded } from './job.ts'
import { notFound, type Reader } from './reader.ts'
import { failWith, isRefusal, settle } from './settle.ts'

export interface CancelOptions {
  readonly reader: Reader
  readonly clock: () => number
  readonly logger: Logger
}

/** @throws ApiError `job_not_found`, `queue_unavailable` */
export type Cancel = (jobId: string, tenant?: string) => Promise<Job>

export function createCancel({ reader, clock, logger }: CancelOptions): Cancel {
  return async (jobId, tenant) => {
    const entry = await reader.entry(jobId, tenant)
    const live = entry.final ? null : await reader.live(entry.record)
    if (live && live.state !== 'ended') {
      if (live.bull.data.canceled_at === undefined) {
        await reach(() => live.bull.updateData({ ...live.bull.data, canceled_at: clock() }))
        // BullMQ has no event for changed data, and other processes' streams must hear of it.
        await live.queue.announce(jobId).catch(() => undefined)
      }
      try {
        await settle(live.queue, jobId, failWith('canceled', 'Canceled'))
      } catch (error) {
        // The mark counts: whoever claims or reports the job next ends it.
        if (!isRefusal(error)) logger.warn({ job_id: jobId, error }, 'a canceled job is left for the next claim to end')
      }
    }
    const view = entry.final ?? (await reader.keepEnd(jobId))
    if (!view) throw notFound()
    const job = await reader.present(entry, view)
    if (hasEnded(job)) logger.debug({ job_id: jobId, status: job.status }, 'cancel')
    return job
  }
}
