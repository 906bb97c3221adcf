/**
 * Cancel: a tenant does not want the video any more.
 *
 * From `queued` and `processing`, by the tenant. Atomic: as every ending; whoever holds the job has the lock taken from it. Then: a fetch of its pictures
 * ends, and its worker hears of it with the next heartbeat.
 */
import type { Job } from '@kinora/protocol'
import { notFound } from '../reading/reader.ts'
import { reach } from '../stores/outage.ts'
import type { TransitionParts } from './parts.ts'

/** A job that has ended already stays as it is. @throws ApiError `job_not_found`, `queue_unavailable` */
export type Cancel = (jobId: string, tenant: string) => Promise<Job>

export function createCancel({ queues, reader, inputs, end, logger }: TransitionParts): Cancel {
  return async (jobId, tenant) => {
    const job = await reader.known(jobId, tenant)
    const { entry, live } = job
    if (entry.final) return reader.present(job)
    const ended = await end.anyway('cancel', job, { status: 'canceled' })
    if (!ended) throw notFound()
    logger.debug({ job_id: jobId, status: ended.final.job.status }, 'cancel')
    if (!live && queues.models.includes(entry.record.model)) await reach(() => inputs.drop(entry.record))
    return reader.present({ entry: { ...entry, final: ended.final }, view: ended.final })
  }
}
