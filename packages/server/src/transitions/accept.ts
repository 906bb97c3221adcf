/**
 * Accept: a tenant's request becomes a job.
 *
 * From `none`, by the tenant. What the request names is looked at first; then the record is written, in one step with the job's turn, and from then on it is never
 * undone: a repeat may have used it. Then: the pictures are brought into place, and the job goes into the line of workers. A repeated request with the same
 * idempotency key finishes what a crash left undone, and so does the server by itself. Once it is answered, the job survives the process.
 */
import { randomInt } from 'node:crypto'
import { AskedSettings, type Job, MAX_SEED, RequestedSettings } from '@kinora/protocol'
import { ApiError } from '../api-error.ts'
import type { Jobs } from '../core.ts'
import { storageUnavailable } from '../inputs/index.ts'
import { jobIdFor, requestHash } from '../jobs/job-id.ts'
import { uploadKey } from '../jobs/keys.ts'
import { inWords, type JobPicture } from '../jobs/picture.ts'
import type { HistoryEntry } from '../jobs/record.ts'
import type { PlacedSource } from '../jobs/request.ts'
import { waitingView } from '../jobs/view.ts'
import { notFound } from '../reading/reader.ts'
import { StorageError } from '../storage/index.ts'
import { reach } from '../stores/outage.ts'
import { isReady, type ReadyJob } from './line.ts'
import type { TransitionParts } from './parts.ts'

export function createAccept(parts: TransitionParts): Jobs['accept'] {
  const { queues, history, reader, inputs, uploads, abilities, clock } = parts

  return async (tenant, accepted, { idempotencyKey } = {}) => {
    const { image, others = [], request } = accepted
    const model = queues.of(request.model ?? queues.models[0] ?? '').model
    const jobId = jobIdFor(tenant, idempotencyKey)
    const hash = idempotencyKey === undefined ? undefined : requestHash(accepted, model)

    const sources = [image, ...others]
    let pictures: readonly JobPicture[]
    try {
      await abilities.check(model, { ...request, pictures: sources.length }, others[0]?.field)
      pictures = await Promise.all(sources.map((source) => find(tenant, source)))
    } catch (error) {
      // The same request may have made its job before the upload was removed, or another worker came.
      const before = hash === undefined || !isRefused(error) ? null : await reach(() => history.get(jobId))
      if (before) return { job: await repeat(before, hash), repeated: true }
      throw error
    }

    const { webhook_url, metadata, seed = randomInt(MAX_SEED + 1) } = request
    const record: ReadyJob = {
      job_id: jobId,
      tenant,
      model,
      created_at: clock(),
      ...(hash === undefined ? {} : { request_hash: hash }),
      // The schemas take what shapes the video out of the request, and leave the rest.
      settings: withoutUndefined(RequestedSettings.parse({ ...request, seed })),
      requested: withoutUndefined(AskedSettings.parse(request)),
      ...(metadata === undefined ? {} : { metadata }),
      pictures,
      ...(webhook_url === undefined ? {} : { webhook_url }),
    }
    const { created, entry, priority } = await reach(() => history.register(record))
    if (!created) return { job: await repeat(entry, hash, priority), repeated: true }
    return { job: await begin(entry, record, priority), repeated: false }
  }

  /** The same key again: the same answer, unless it asks for something else. */
  async function repeat(entry: HistoryEntry, hash: string | undefined, priority?: number): Promise<Job> {
    const { record } = entry
    if (record.request_hash !== hash) {
      throw new ApiError(
        'idempotency_mismatch',
        'This Idempotency-Key was used for a request with other parameters. Use a new key for a new job.',
      )
    }
    // The first call may have written the record and then lost the store: it was told so, and this one finishes its work.
    const [job] = await reader.read([record])
    if (!job) throw notFound()
    if (priority !== undefined && !job.entry.final && !job.live && isReady(record))
      return begin(entry, record, priority)
    return reader.present(job)
  }

  async function begin(entry: HistoryEntry, record: ReadyJob, priority: number): Promise<Job> {
    const where = await reach(() => inputs.begin(record, priority))
    return reader.present({ entry, view: waitingView(record, where === 'fetching') })
  }

  /** Where a picture comes from, looked at as far as that can be done at once. @throws ApiError `upload_not_found` */
  async function find(tenant: string, source: PlacedSource): Promise<JobPicture> {
    const { place, strength = 1 } = source
    const placed = { ...(place ? { place } : {}), ...(strength === 1 ? {} : { strength }) }
    if ('image_url' in source) return { from: { url: source.image_url }, ...placed }
    const key = uploadKey(tenant, source.upload_id)
    const found = await uploads.find(key).catch((error: unknown) => {
      throw error instanceof StorageError && error.retryable ? storageUnavailable(error) : error
    })
    if (!found) throw uploadNotFound(source)
    return { from: { key, ...(found.checked ? { checked: found.checked } : {}) }, ...placed }
  }
}

function isRefused(error: unknown): boolean {
  return error instanceof ApiError && error.status < 500
}

function uploadNotFound({ place, field = 'upload_id' }: PlacedSource): ApiError {
  const which = place ? ` for the picture ${inWords(place)}` : ''
  return new ApiError('upload_not_found', `There is no such upload${which}: PUT the picture to its upload_url first.`, {
    issues: [{ path: field, message: 'names an upload that is not there' }],
  })
}

function withoutUndefined<T extends object>(fields: T): T {
  return JSON.parse(JSON.stringify(fields)) as T
}
