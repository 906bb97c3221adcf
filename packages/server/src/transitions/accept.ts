/**
 * Accept: a tenant's request becomes a job.
 *
 * From `none`, by the tenant. The record is written first, in one step with the job's turn; then BullMQ's job. A repeated request with the same idempotency
 * key finishes what a crash left undone. Then: once it is answered, the job is in the queue and survives the process.
 */
import { randomInt } from 'node:crypto'
import type { Job } from '@kinora/protocol'
import { MAX_SEED } from '@kinora/protocol'
import { ApiError } from '../api-error.ts'
import type { Jobs } from '../core.ts'
import { type InputError, storageUnavailable } from '../inputs/input.ts'
import { DELIVERY_QUEUE, deliveryOptions } from '../jobs/delivery.ts'
import { jobIdFor, requestHash } from '../jobs/job-id.ts'
import { uploadKey } from '../jobs/keys.ts'
import type { HistoryEntry, JobRecord } from '../jobs/record.ts'
import { ATTEMPTS, BACKOFF, type VideoData } from '../jobs/video-job.ts'
import type { JobView } from '../jobs/view.ts'
import { StorageError } from '../storage/index.ts'
import { reach } from '../stores/outage.ts'
import type { TransitionParts } from './parts.ts'

export interface AcceptOptions {
  /** Seconds that BullMQ keeps an ended job. */
  readonly retention: { readonly completed: number; readonly failed: number }
  readonly deliveryAttempts: number
  /** Ends a job whose picture will never be one. */
  readonly refuse: (jobId: string, error: InputError) => Promise<void>
}

export function createAccept(parts: TransitionParts, options: AcceptOptions): Jobs['accept'] {
  const { queues, history, storage, reader, inputs, clock } = parts

  return async (tenant, accepted, { idempotencyKey } = {}) => {
    const { image, request } = accepted
    const model = queues.of(request.model ?? queues.models[0] ?? '').model
    const source = 'image_url' in image ? { url: image.image_url } : { key: uploadKey(tenant, image.upload_id) }

    const { model: _, webhook_url, seed = randomInt(MAX_SEED + 1), ...settings } = request
    const record: JobRecord = {
      job_id: jobIdFor(tenant, idempotencyKey),
      tenant,
      model,
      created_at: clock(),
      ...(idempotencyKey === undefined ? {} : { request_hash: requestHash(accepted, model) }),
      settings: withoutUndefined({ ...settings, seed }),
      ...(webhook_url === undefined ? {} : { webhook_url }),
    }
    if ('key' in source && idempotencyKey === undefined) await mustExist(source.key)

    const { created, entry, priority } = await reach(() => history.register(record))
    if (!created) return repeat(entry, record, source, priority)
    if ('key' in source && idempotencyKey !== undefined) {
      await mustExist(source.key).catch(async (error: unknown) => {
        await reach(() => history.remove(record.job_id)).catch(() => undefined)
        throw error
      })
    }
    return { job: await add(entry, source, priority), repeated: false }
  }

  /** The same key again: the same answer, unless it asks for something else. */
  async function repeat(entry: HistoryEntry, asked: JobRecord, source: VideoData['image'], priority: number) {
    const { record } = entry
    if (record.request_hash !== asked.request_hash) {
      throw new ApiError(
        'idempotency_mismatch',
        'This Idempotency-Key was used for a request with other parameters. Use a new key for a new job.',
      )
    }
    const view = await reader.view(entry)
    // The first call wrote the record and then lost the store: it was told so, and this one finishes its work.
    if (!view) return { job: await add(entry, source, priority), repeated: true }
    return { job: await reader.present(entry, view), repeated: true }
  }

  async function add(entry: HistoryEntry, image: VideoData['image'], priority: number): Promise<Job> {
    const { record } = entry
    const { job_id: jobId, tenant, model, settings, webhook_url } = record
    const { name } = queues.of(model)
    const data: VideoData = { tenant, model, settings, image, ...(webhook_url === undefined ? {} : { webhook_url }) }
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
    inputs.begin(jobId, image, (error) => options.refuse(jobId, error))
    return reader.present(entry, firstView(record))
  }

  async function mustExist(key: string): Promise<void> {
    const found = await storage.head(key).catch((error: unknown) => {
      throw error instanceof StorageError && !error.permanent ? storageUnavailable(error) : error
    })
    if (found) return
    throw new ApiError('upload_not_found', 'There is no such upload: PUT the picture to its upload_url first.', {
      issues: [{ path: 'upload_id', message: 'names an upload that is not there' }],
    })
  }
}

/** The job as it is the moment it was added. */
function firstView(record: JobRecord): JobView {
  return {
    job: {
      job_id: record.job_id,
      status: 'queued',
      created_at: new Date(record.created_at).toISOString(),
      model: record.model,
      attempt: 0,
      ...record.settings,
    },
  }
}

function withoutUndefined<T extends object>(fields: T): T {
  return JSON.parse(JSON.stringify(fields)) as T
}
