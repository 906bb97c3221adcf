/** Leases: operations on a job by the id of its lease. The id is BullMQ's lock token, so BullMQ itself refuses whoever is late. */
import type { Lease, LeaseEnd } from '@kinora/protocol'
import type { Logger } from 'pino'
import { ApiError } from '../api-error.ts'
import type { Leases } from '../core.ts'
import { type Inputs, InputError, storageUnavailable } from '../jobs/input.ts'
import { attemptsUsed, progressOf } from '../jobs/job.ts'
import { inputKey, leaseKeys } from '../jobs/keys.ts'
import type { Reader } from '../jobs/reader.ts'
import { failWith, isRefusal, putBack, settle } from '../jobs/settle.ts'
import { ATTEMPTS, failureText, type VideoProgress } from '../jobs/video-job.ts'
import type { ModelQueue, Queues, VideoJob } from '../queues.ts'
import { type Storage, StorageError } from '../storage/index.ts'
import type { History, LeaseRecord } from '../stores/history.ts'
import type { Monitor } from '../stores/monitor.ts'
import { reach } from '../stores/outage.ts'
import { createHub, type Hub } from './hub.ts'
import type { Presence } from './presence.ts'
import { promoteResults, ResultError } from './promote.ts'

/** Seconds that a lease's signed URLs live: longer than any job takes. */
const URLS_EXPIRE = 24 * 3600
const MAX_VIDEO_BYTES = 1024 ** 3
const MAX_POSTER_BYTES = 10 * 1024 ** 2

/** Lease records at hand: heartbeats ask for them all the time. */
const CACHED = 10_000

export interface LeasesOptions {
  readonly queues: Queues
  readonly history: History
  readonly storage: Storage
  readonly reader: Reader
  readonly inputs: Inputs
  readonly presence: Presence
  readonly monitor: Monitor
  readonly logger: Logger
  readonly clock: () => number
  /** Milliseconds. */
  readonly leaseDuration: number
}

/** Leases, and what the server itself does about them. */
export interface LeaseService extends Leases {
  /** Ends a job whose workers died too often, or that was canceled, when its dead lease is found. */
  onStalled(model: ModelQueue, jobId: string): Promise<void>
  close(): void
}

interface Holding {
  readonly model: ModelQueue
  readonly bull: VideoJob
  readonly told: VideoProgress
}

export function createLeases(options: LeasesOptions): LeaseService {
  const { queues, history, storage, reader, inputs, presence, monitor, logger, clock, leaseDuration } = options
  const known = new Map<string, LeaseRecord>()
  const hubs = new Map<string, Hub>()

  function hubOf(model: ModelQueue): Hub {
    let hub = hubs.get(model.model)
    if (!hub) {
      hub = createHub({
        model,
        monitor,
        logger,
        prepare: (claimed) => prepare(model, claimed),
        giveBack: async ({ jobId, token }) => {
          const bull = await reach(() => model.queue.getJob(jobId))
          if (bull) await putBack(model, { bull, token })
        },
      })
      hubs.set(model.model, hub)
    }
    return hub
  }

  /** Turns a claimed job into a lease, or deals with it where it is not to be worked on. */
  async function prepare(
    model: ModelQueue,
    { jobId, token, worker }: { jobId: string; token: string; worker: string },
  ): Promise<Lease | null> {
    const bull = await reach(() => model.queue.getJob(jobId))
    if (!bull) return null
    const held = { bull, token }
    if (bull.priority > 0) history.claimed(model.model, bull.priority).catch(() => undefined)

    const ending = endingOf(bull)
    if (ending) {
      await end(jobId, () => failWith(ending.code, ending.message)(held))
      return null
    }
    const stopKeeping = keepLock(bull, token)
    try {
      await inputs.ensure(jobId, bull.data.image)
    } catch (error) {
      if (!(error instanceof InputError)) {
        await putBack(model, held)
        throw error
      }
      await failAttempt(bull, token, { code: error.code, message: error.message, retryable: !error.permanent })
      return null
    } finally {
      stopKeeping()
    }

    const used = attemptsUsed(bull)
    const before = progressOf(bull)
    const told: VideoProgress = {
      lease_id: token,
      attempt: used + 1,
      started_at: used > 0 && before ? before.started_at : clock(),
      progress: 0,
      stage: 'fetching',
    }
    const record: LeaseRecord = { lease_id: token, job_id: jobId, model: model.model, worker }
    await reach(() => Promise.all([history.putLease(record), bull.updateProgress({ ...told })]))
    remember(record)
    if (!(await extend(bull, token))) return null
    logger.info({ job_id: jobId, worker, attempt: told.attempt }, 'a worker took a job')
    try {
      return await describe(model, bull, told)
    } catch (error) {
      await putBack(model, held)
      throw error instanceof StorageError && !error.permanent ? storageUnavailable(error) : error
    }
  }

  async function describe(model: ModelQueue, bull: VideoJob, told: VideoProgress): Promise<Lease> {
    const jobId = bull.id ?? ''
    const keys = leaseKeys(told.lease_id)
    const [image_url, video, poster] = await Promise.all([
      storage.presignGet(inputKey(jobId), { expiresIn: URLS_EXPIRE }),
      storage.presignPut(keys.video, { contentType: 'video/mp4', maxBytes: MAX_VIDEO_BYTES, expiresIn: URLS_EXPIRE }),
      storage.presignPut(keys.poster, {
        contentType: 'image/jpeg',
        maxBytes: MAX_POSTER_BYTES,
        expiresIn: URLS_EXPIRE,
      }),
    ])
    return {
      lease_id: told.lease_id,
      job_id: jobId,
      model: model.model,
      attempt: told.attempt,
      deadline: deadline(),
      heartbeat_interval: leaseDuration / 3000,
      settings: bull.data.settings,
      image_url,
      uploads: { video, poster },
    }
  }

  /** The job and its lease, after the lock has been extended: nobody else can have it for a while. */
  async function hold(leaseId: string): Promise<Holding | { readonly ended: LeaseEnd }> {
    const record = known.get(leaseId) ?? (await reach(() => history.getLease(leaseId)))
    if (!record || !queues.models.includes(record.model)) throw lost()
    remember(record)
    presence.saw(record.model)
    const model = queues.of(record.model)
    const bull = await reach(() => model.queue.getJob(record.job_id))
    const told = bull && progressOf(bull)
    if (!bull || told?.lease_id !== leaseId) throw lost()
    if (bull.finishedOn !== undefined) {
      const view = await reader.keepEnd(record.job_id)
      if (!view) throw lost()
      const ours = view.job.status !== 'completed' || bull.returnvalue.lease_id === leaseId
      if (!ours) throw lost()
      return { ended: { job_id: record.job_id, status: view.job.status } }
    }
    if (!(await extend(bull, leaseId))) throw lost()
    return { model, bull, told }
  }

  async function extend(bull: VideoJob, token: string): Promise<boolean> {
    try {
      return (await reach(() => bull.extendLock(token, leaseDuration))) > 0
    } catch (error) {
      if (isRefusal(error)) return false
      throw error
    }
  }

  /** Extends the lock while something takes its time. */
  function keepLock(bull: VideoJob, token: string): () => void {
    const timer = setInterval(() => void extend(bull, token).catch(() => undefined), leaseDuration / 3)
    timer.unref()
    return () => clearInterval(timer)
  }

  async function failAttempt(
    bull: VideoJob,
    token: string,
    { code, message, retryable }: { code: string; message: string; retryable: boolean },
  ): Promise<LeaseEnd> {
    const jobId = bull.id ?? ''
    const last = attemptsUsed(bull) + 1 >= ATTEMPTS
    logger.info({ job_id: jobId, code, error: message, again: retryable && !last }, 'an attempt failed')
    if (!retryable || last) return end(jobId, () => failWith(code, message)({ bull, token }))
    await asHolder(() => bull.moveToFailed(new Error(failureText(code, message)), token, false))
    return { job_id: jobId, status: 'queued' }
  }

  async function end(jobId: string, finish: () => Promise<unknown>): Promise<LeaseEnd> {
    await asHolder(finish)
    const view = await reader.keepEnd(jobId)
    if (!view) throw lost()
    return { job_id: jobId, status: view.job.status }
  }

  function remember(record: LeaseRecord): void {
    known.set(record.lease_id, record)
    if (known.size <= CACHED) return
    for (const oldest of known.keys()) {
      known.delete(oldest)
      break
    }
  }

  function deadline(): string {
    return new Date(clock() + leaseDuration).toISOString()
  }

  function dropResults(leaseId: string): void {
    for (const key of Object.values(leaseKeys(leaseId))) {
      storage.delete(key).catch((error: unknown) => logger.debug({ key, error }, 'a leftover stays for the sweeper'))
    }
  }

  return {
    async claim({ model: name, worker, wait, signal }) {
      const model = queues.of(name)
      presence.saw(name)
      return hubOf(model).claim(worker, wait, signal)
    },

    async heartbeat(leaseId, { progress, stage, settings }) {
      const holding = await hold(leaseId)
      if ('ended' in holding) {
        if (holding.ended.status === 'canceled') return { cancel: true, deadline: deadline() }
        throw lost()
      }
      const { bull, told } = holding
      if (bull.data.canceled_at !== undefined) return { cancel: true, deadline: deadline() }
      const next: VideoProgress = { ...told, progress, stage, ...(settings ? { settings } : {}) }
      if (JSON.stringify(next) !== JSON.stringify(told)) await asHolder(() => bull.updateProgress({ ...next }))
      return { cancel: false, deadline: deadline() }
    },

    async complete(leaseId, { settings }) {
      const holding = await hold(leaseId)
      if ('ended' in holding) return holding.ended
      const { bull, told } = holding
      const jobId = bull.id ?? ''
      if (bull.data.canceled_at !== undefined) {
        dropResults(leaseId)
        return end(jobId, () => failWith('canceled', 'Canceled')({ bull, token: leaseId }))
      }
      if (settings) await asHolder(() => bull.updateProgress({ ...told, settings }))
      const stopKeeping = keepLock(bull, leaseId)
      try {
        const result = await promoteResults(storage, jobId, leaseId)
        return await end(jobId, () => bull.moveToCompleted(result, leaseId, false))
      } catch (error) {
        if (error instanceof StorageError && !error.permanent) throw storageUnavailable(error)
        if (!(error instanceof ResultError)) throw error
        return await failAttempt(bull, leaseId, { code: 'result_invalid', message: error.message, retryable: true })
      } finally {
        stopKeeping()
      }
    },

    async fail(leaseId, { error, error_code: code = 'engine_error', retryable = true }) {
      const holding = await hold(leaseId)
      if ('ended' in holding) return holding.ended
      const { bull } = holding
      dropResults(leaseId)
      if (bull.data.canceled_at !== undefined) {
        return end(bull.id ?? '', () => failWith('canceled', 'Canceled')({ bull, token: leaseId }))
      }
      return failAttempt(bull, leaseId, { code, message: error, retryable })
    },

    async release(leaseId) {
      const holding = await hold(leaseId)
      if ('ended' in holding) return holding.ended
      const { model, bull } = holding
      const jobId = bull.id ?? ''
      dropResults(leaseId)
      await asHolder(() => putBack(model, { bull, token: leaseId }))
      const view = await reader.keepEnd(jobId)
      return { job_id: jobId, status: view?.job.status ?? 'queued' }
    },

    async onStalled(model, jobId) {
      const bull = await reach(() => model.queue.getJob(jobId))
      if (!bull) return
      logger.warn({ job_id: jobId, attempts: attemptsUsed(bull) }, 'a worker was lost with its job')
      const ending = endingOf(bull)
      if (!ending) {
        // Redis wakes nobody for it, and Postgres puts it behind all others: it has waited long enough.
        await reach(() => bull.changePriority({ priority: 0, lifo: true })).catch(() => undefined)
        return
      }
      await settle(model, jobId, failWith(ending.code, ending.message))
      await reader.keepEnd(jobId)
    },

    close() {
      for (const hub of hubs.values()) hub.close()
    },
  }
}

/** Why a job is to end instead of being worked on. */
function endingOf(bull: VideoJob): { code: string; message: string } | null {
  if (bull.data.canceled_at !== undefined) return { code: 'canceled', message: 'Canceled' }
  if (bull.deferredFailure) return { code: 'internal_error', message: bull.deferredFailure }
  const used = attemptsUsed(bull)
  if (used < ATTEMPTS) return null
  return {
    code: 'worker_lost',
    message: `Every worker that tried this job stopped without a word, ${used} attempts in all: it may need more memory than they have.`,
  }
}

/** BullMQ's refusal of a late holder as the wire's. */
async function asHolder<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await reach(operation)
  } catch (error) {
    if (isRefusal(error)) throw lost(error)
    throw error
  }
}

function lost(cause?: unknown): ApiError {
  return new ApiError(
    'lease_lost',
    'The lease has ended: the job is somebody else’s, or has come to its end. Drop it.',
    {
      cause,
    },
  )
}
