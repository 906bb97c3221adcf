/**
 * Cancel: a tenant does not want the video any more.
 *
 * From `queued` and `processing`, by the tenant. A mark in the job's data shows at once and is honoured wherever the job goes; then the job is ended,
 * whoever holds it. Then: its worker hears of it with the next heartbeat.
 */
import type { Job } from '@kinora/protocol'
import type { JobRecord } from '../jobs/record.ts'
import { hasEnded } from '../jobs/view.ts'
import { isRefusal } from '../queues.ts'
import { type LiveJob, notFound } from '../reading/reader.ts'
import { reach } from '../stores/outage.ts'
import { LOOKS } from './end.ts'
import type { TransitionParts } from './parts.ts'

/** @throws ApiError `job_not_found`, `queue_unavailable` */
export type Cancel = (jobId: string, tenant?: string) => Promise<Job>

export function createCancel({ queues, reader, inputs, end, clock, logger }: TransitionParts): Cancel {
  return async (jobId, tenant) => {
    const entry = await reader.entry(jobId, tenant)
    const { record } = entry
    if (!entry.final && queues.models.includes(record.model)) await endIt(record)
    const view = entry.final ?? (await reader.keepEnd(jobId))
    if (!view) throw notFound()
    const job = await reader.present(entry, view)
    if (hasEnded(job)) logger.debug({ job_id: jobId, status: job.status }, 'cancel')
    return job
  }

  async function endIt(record: JobRecord): Promise<void> {
    const job = { model: queues.of(record.model), jobId: record.job_id }
    for (let look = 0; look < LOOKS; look++) {
      const live = await reader.live(record)
      if (live) return live.state === 'ended' ? undefined : endInLine(live)
      // Its pictures are being fetched.
      if (!(await end.outsideTheLine('cancel', job, { status: 'canceled' }))) continue
      return reach(() => inputs.drop(record))
    }
  }

  async function endInLine({ bull, queue }: LiveJob): Promise<void> {
    const jobId = bull.id ?? ''
    if (bull.data.canceled_at === undefined) {
      await reach(() => bull.updateData({ ...bull.data, canceled_at: clock() }))
      // BullMQ has no event for changed data, and other processes' streams must hear of it.
      await queue.announce(jobId).catch(() => undefined)
    }
    try {
      await end.anyway('cancel', { model: queue, jobId }, { status: 'canceled' })
    } catch (error) {
      // The mark counts: whoever claims or reports the job next ends it.
      if (!isRefusal(error)) logger.warn({ job_id: jobId, error }, 'a canceled job is left for the next claim to end')
    }
  }
}
