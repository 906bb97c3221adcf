/**
 * Accept: a tenant's request becomes a job.
 *
 * From `none`, by the tenant. What the request names is looked at first; then the record is written, in one step with the job's turn, and from then on it is never
 * undone, as a repeat may have used it, unless the queue refuses the job for good. Then: the pictures are brought into place, and the job goes into the line of workers. A repeated request with the same
 * idempotency key finishes what a crash left undone, and so does the server by itself. Once it is answered, the job survives the process.
 */
import { randomInt } from 'node:crypto'
import { AskedSettings, type Job, MAX_SEED, RequestedSettings } from '@kinora/protocol'
import { ApiError } from '../api-error.ts'
import type { Jobs } from '../core.ts'
import { queueFull, tooManyJobs } from '../limits/index.ts'
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
  const { queues, history, reader, inputs, uploads, abilities, allowed, rates, clock } = parts

  return async (tenant, accepted, { idempotencyKey } = {}) => {
    const { image, others = [], request } = accepted
    const model = queues.of(request.model ?? queues.models[0] ?? '').model
    const jobId = jobIdFor(tenant, idempotencyKey)
    const hash = idempotencyKey === undefined ? undefined : requestHash(accepted, model)

    const sources = [image, ...others]
    let pictures: readonly JobPicture[]
    let giveBack: () => Promise<void>
    try {
      await abilities.check(model, { ...request, pictures: sources.length }, others[0]?.field)
      const found = await Promise.all(sources.map((source) => find(tenant, source)))
      pictures = found.map(({ picture }) => picture)
      const bytes = found.reduce((sum, { size }) => sum + size, 0)
      giveBack = await rates.take(tenant, bytes)
    } catch (error) {
      // The same request may have made its job before the upload was removed, another worker came, or a limit was reached.
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
    const { queued: ofTenant } = await allowed.of(tenant)
    const registered = await reach(() => history.register(record, { ofTenant, inAll: allowed.queueTotal }))
    if ('noRoom' in registered || !registered.created) await giveBack()
    if ('noRoom' in registered) throw registered.noRoom === 'ofTenant' ? tooManyJobs(ofTenant) : queueFull()
    const { created, entry, priority } = registered
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
    const where = await reach(() => inputs.begin(record, priority)).catch(async (error: unknown) => {
      // A store that is away gets it later. What the queue refuses will never be a job, and must not look like one.
      if (!(error instanceof ApiError)) await forget(record)
      throw error
    })
    return reader.present({ entry, view: waitingView(record, where === 'fetching') })
  }

  /** Takes a record back that no queue has taken; one that a repeat has brought further stays. */
  async function forget(record: ReadyJob): Promise<void> {
    const [known] = await reader.read([record])
    if (known?.live || (await inputs.has(record)) || (await history.isHeld(record))) return
    await history.remove(record.job_id)
    reader.forget(record.job_id)
  }

  /** Where a picture comes from, looked at as far as that can be done at once, and its bytes, 0 where nobody knows yet. @throws ApiError `upload_not_found` */
  async function find(tenant: string, source: PlacedSource): Promise<{ picture: JobPicture; size: number }> {
    const { place, strength = 1 } = source
    const placed = { ...(place ? { place } : {}), ...(strength === 1 ? {} : { strength }) }
    if ('image_url' in source) return { picture: { from: { url: source.image_url }, ...placed }, size: 0 }
    const key = uploadKey(tenant, source.upload_id)
    const found = await uploads.find(key).catch((error: unknown) => {
      throw error instanceof StorageError && error.retryable ? storageUnavailable(error) : error
    })
    if (!found) throw uploadNotFound(source)
    const from = { key, ...(found.checked ? { checked: found.checked } : {}) }
    return { picture: { from, ...placed }, size: found.size }
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
