/**
 * Line: the pictures of a job are there, and it goes into the line of workers.
 *
 * From `queued`, by the server. Atomic: BullMQ adds a job of one id once, whoever adds it how often. Then: the next worker may have it. One that was canceled or
 * deleted at the last moment is found out when it is claimed.
 */
import type { PicturedJob } from '../inputs/index.ts'
import { ATTEMPTS } from '../jobs/attempts.ts'
import type { Kept } from '../jobs/delivery.ts'
import type { JobRecord } from '../jobs/record.ts'
import { BACKOFF, type VideoData } from '../jobs/video-job.ts'
import type { Queues } from '../queues.ts'
import { reach } from '../stores/outage.ts'

/** A job whose record says where its pictures come from. */
export type ReadyJob = JobRecord & PicturedJob

export function isReady(record: JobRecord): record is ReadyJob {
  return record.pictures !== undefined
}

/** @param kept how long BullMQ keeps an ended job */
export function createLine(queues: Queues, kept: Kept) {
  return async (record: ReadyJob, priority: number): Promise<void> => {
    const { job_id: jobId, tenant, model, settings, pictures, webhook_url } = record
    const image = pictures[0]?.from
    if (!image) throw new Error(`The job ${jobId} has no picture.`)
    const { name } = queues.of(model)
    const data: VideoData = {
      tenant,
      model,
      settings,
      pictures,
      image,
      ...(webhook_url === undefined ? {} : { webhook_url }),
    }
    const opts = {
      jobId,
      priority,
      timestamp: record.created_at,
      attempts: ATTEMPTS,
      backoff: { type: 'exponential', delay: BACKOFF },
      ...kept,
    }
    await reach(() => queues.add({ name: 'video', queueName: name, data, opts }))
  }
}
