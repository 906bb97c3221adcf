/**
 * Line: the pictures of a job are there, and it goes into the line of workers.
 *
 * From `queued`, by the server. Atomic: BullMQ adds a job of one id once, whoever adds it how often. Then: the next worker may have it. One that was canceled or
 * deleted at the last moment is found out when it is claimed.
 */
import type { PicturedJob } from '../inputs/index.ts'
import { DELIVERY_QUEUE, deliveryOptions } from '../jobs/delivery.ts'
import type { JobRecord } from '../jobs/record.ts'
import { ATTEMPTS, BACKOFF, type VideoData } from '../jobs/video-job.ts'
import { reach } from '../stores/outage.ts'
import type { TransitionParts } from './parts.ts'

export interface LineOptions {
  /** Seconds that BullMQ keeps an ended job. */
  readonly retention: { readonly completed: number; readonly failed: number }
  readonly deliveryAttempts: number
}

/** A job whose record says where its pictures come from. */
export type ReadyJob = JobRecord & PicturedJob

export function isReady(record: JobRecord): record is ReadyJob {
  return record.pictures !== undefined
}

export function createLine({ queues }: Pick<TransitionParts, 'queues'>, options: LineOptions) {
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
    const kept = {
      removeOnComplete: { age: options.retention.completed },
      removeOnFail: { age: options.retention.failed },
    }
    const video = {
      jobId,
      priority,
      timestamp: record.created_at,
      attempts: ATTEMPTS,
      backoff: { type: 'exponential', delay: BACKOFF },
      ...kept,
    }
    const job = { name: 'video', queueName: name, data, opts: video }
    // The delivery is the job's parent: BullMQ releases it in the same step in which the job ends, well or badly.
    const flow =
      webhook_url === undefined
        ? job
        : {
            name: 'webhook',
            queueName: DELIVERY_QUEUE,
            data: { job_id: jobId, tenant, url: webhook_url },
            opts: { jobId, ...deliveryOptions(options.deliveryAttempts, kept) },
            children: [{ ...job, opts: { ...video, ignoreDependencyOnFailure: true } }],
          }
    await reach(() => queues.add(flow))
  }
}
