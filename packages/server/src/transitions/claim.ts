/**
 * Claim: a job that waits becomes a worker's.
 *
 * From `queued`, by a worker. Atomic: BullMQ moves the job and sets its lock in one step, and no other claim can get it while the lock lives.
 * Then: a job that has come to its end meanwhile is ended instead of handed out; else the claim is written into the job's progress, the lease into
 * history, and the worker gets a lease.
 */
import type { Lease } from '@kinora/protocol'
import { InputError, storageUnavailable } from '../inputs/index.ts'
import { inputKey, leaseKeys } from '../jobs/keys.ts'
import { placedImages } from '../reading/placed-images.ts'
import type { VideoJob, VideoProgress } from '../jobs/video-job.ts'
import { attemptsUsed, progressOf } from '../jobs/view.ts'
import type { ModelQueue } from '../queues.ts'
import { StorageError } from '../storage/index.ts'
import { reach } from '../stores/outage.ts'
import { type Locked, putBack } from './end.ts'
import { failAttempt } from './fail.ts'
import type { TransitionParts } from './parts.ts'
import { endOverdue } from './stalled.ts'

/** Seconds that a lease's signed URLs live: longer than any job takes. */
const URLS_EXPIRE = 24 * 3600
const MAX_VIDEO_BYTES = 1024 ** 3
const MAX_POSTER_BYTES = 10 * 1024 ** 2

/** A job that BullMQ has just given out. */
export interface Claimed {
  readonly jobId: string
  /** The lock's, and so the lease's id. */
  readonly token: string
  readonly worker: string
}

/** Makes a lease of a claimed job; null when the job was not to be handed out, and has been dealt with. */
export type Claim = (model: ModelQueue, claimed: Claimed) => Promise<Lease | null>

export function createClaim(parts: TransitionParts): Claim {
  const { history, storage, inputs, leases, end, logger, clock, leaseDuration } = parts

  return async (model, { jobId, token, worker }) => {
    const bull = await reach(() => model.queue.getJob(jobId))
    if (!bull) return null
    const locked = { bull, token }
    if (bull.priority > 0) history.claimed(model.model, bull.priority).catch(() => undefined)
    if (await endOverdue(parts, locked)) return null

    // It ended, or was deleted, while its pictures were brought in.
    const entry = await reach(() => history.get(jobId))
    if (!entry || entry.final) {
      await end.asHolder('cancel', locked, { status: 'canceled' })
      return null
    }
    if (bull.data.pictures === undefined && !(await bringOld(locked))) return null

    const used = attemptsUsed(bull)
    const before = progressOf(bull)
    const told: VideoProgress = {
      lease_id: token,
      attempt: used + 1,
      started_at: used > 0 && before ? before.started_at : clock(),
      progress: 0,
      stage: 'fetching',
    }
    await Promise.all([
      leases.enter({ lease_id: token, job_id: jobId, model: model.model, worker }),
      reach(() => bull.updateProgress({ ...told })),
    ])
    if (!(await leases.extend(bull, token))) return null
    logger.info({ job_id: jobId, worker, attempt: told.attempt }, 'a worker took a job')
    try {
      return await describe(model, bull, told)
    } catch (error) {
      await putBack(model, locked)
      throw error instanceof StorageError && error.retryable ? storageUnavailable(error) : error
    }
  }

  /** A job that a server before 0.2 put into the line, before its picture was there. @returns whether it is there now */
  async function bringOld(locked: Locked): Promise<boolean> {
    const { bull, token } = locked
    const stopKeeping = leases.keep(bull, token)
    try {
      await inputs.bring({ job_id: bull.id ?? '', tenant: bull.data.tenant, pictures: [{ from: bull.data.image }] })
      return true
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      const { code, message, retryable } = error
      await failAttempt(parts, locked, { code, message, retryable })
      return false
    } finally {
      stopKeeping()
    }
  }

  async function describe(model: ModelQueue, bull: VideoJob, told: VideoProgress): Promise<Lease> {
    const jobId = bull.id ?? ''
    const keys = leaseKeys(told.lease_id)
    const [image_url, images, video, poster] = await Promise.all([
      storage.presignGet(inputKey(jobId), { expiresIn: URLS_EXPIRE }),
      placedImages(storage, jobId, bull.data.pictures ?? [], { expiresIn: URLS_EXPIRE }),
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
      deadline: leases.deadline(),
      heartbeat_interval: leaseDuration / 3000,
      settings: bull.data.settings,
      image_url,
      ...(images ? { images } : {}),
      uploads: { video, poster },
    }
  }
}
