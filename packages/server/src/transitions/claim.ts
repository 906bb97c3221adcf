/**
 * Claim: a job that waits becomes a worker's.
 *
 * From `queued`, by a worker. Atomic: BullMQ moves the job and sets its lock in one step; then one step of the store makes the claim a lease, if the lock
 * is still the claim's and the job has not ended meanwhile. Then: the worker gets the lease. A job that has ended, or whose attempts are used up, is dealt with
 * instead of handed out.
 */
import type { Lease } from '@kinora/protocol'
import { UnrecoverableError } from 'bullmq'
import { InputError, storageUnavailable } from '../inputs/index.ts'
import { attemptsOf } from '../jobs/attempts.ts'
import { inputKey, leaseKeys } from '../jobs/keys.ts'
import type { LeaseRecord } from '../jobs/record.ts'
import type { VideoJob } from '../jobs/video-job.ts'
import { claimedProgress } from '../leases/lease-book.ts'
import type { ModelQueue } from '../queues.ts'
import { placedImages } from '../reading/placed-images.ts'
import { ifThere } from '../reading/reader.ts'
import { StorageError } from '../storage/index.ts'
import { reach } from '../stores/outage.ts'
import { failAttempt } from './fail.ts'
import type { TransitionParts } from './parts.ts'
import { giveBack } from './release.ts'
import { endUsedUp } from './stalled.ts'

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
  const { states, storage, inputs, reader, leases, end, follow, logger, clock, leaseDuration } = parts

  return async (model, { jobId, token, worker }) => {
    const bull = await reach(() => model.queue.getJob(jobId))
    if (!bull) return null
    const job = await ifThere(reader.known(jobId))
    if (!job) {
      await dropDeleted(bull, token)
      return null
    }
    const { entry, live, place } = job
    if (entry.final) {
      await follow.now(entry.record, { kind: 'ended', final: entry.final, mine: false, holder: token })
      return null
    }
    // It is somebody else's by now.
    if (live?.token !== token) return null
    if (bull.data.canceled_at !== undefined) {
      // A server before 0.2 was told so, and died before it ended the job.
      await end.asHolder('cancel', job, token, { status: 'canceled' })
      return null
    }
    if (await endUsedUp(parts, job, { token, deferred: bull.deferredFailure })) return null

    const { used, before } = attemptsOf(live)
    const lease: LeaseRecord = {
      lease_id: token,
      job_id: jobId,
      tenant: entry.record.tenant,
      model: model.model,
      worker,
      attempt: used + 1,
      started_at: (used > 0 && live.progress?.started_at) || clock(),
      before,
    }
    if (bull.data.pictures === undefined && !(await bringOld(bull, lease))) return null

    const progress = claimedProgress(lease)
    const taken = await reach(() => states.take({ place, lease, progress, priority: bull.priority, leaseDuration }))
    if (!taken) {
      await giveBack(model, { jobId, token })
      return null
    }
    leases.remember(lease)
    logger.info({ job_id: jobId, worker, attempt: lease.attempt }, 'a worker took a job')
    try {
      return await describe(lease, bull)
    } catch (error) {
      await giveBack(model, { jobId, token })
      throw error instanceof StorageError && error.retryable ? storageUnavailable(error) : error
    }
  }

  /** A job that was deleted while it got into the line. */
  async function dropDeleted(bull: VideoJob, token: string): Promise<void> {
    await reach(() => bull.moveToFailed(new UnrecoverableError('The job was deleted.'), token, false))
    await reach(() => bull.remove({ removeChildren: false }))
  }

  /** A job that a server before 0.2 put into the line, before its picture was there. @returns whether it is there now */
  async function bringOld(bull: VideoJob, lease: LeaseRecord): Promise<boolean> {
    const timer = setInterval(
      () => void reach(() => bull.extendLock(lease.lease_id, leaseDuration)).catch(() => undefined),
      leaseDuration / 3,
    )
    try {
      await inputs.bring({ job_id: lease.job_id, tenant: lease.tenant, pictures: [{ from: bull.data.image }] })
      return true
    } catch (error) {
      if (!(error instanceof InputError)) throw error
      const { code, message, retryable } = error
      await failAttempt(parts, lease, { code, message, retryable })
      return false
    } finally {
      clearInterval(timer)
    }
  }

  async function describe(lease: LeaseRecord, bull: VideoJob): Promise<Lease> {
    const keys = leaseKeys(lease.lease_id)
    const [image_url, images, video, poster] = await Promise.all([
      storage.presignGet(inputKey(lease.job_id), { expiresIn: URLS_EXPIRE }),
      placedImages(storage, lease.job_id, bull.data.pictures ?? [], { expiresIn: URLS_EXPIRE }),
      storage.presignPut(keys.video, { contentType: 'video/mp4', maxBytes: MAX_VIDEO_BYTES, expiresIn: URLS_EXPIRE }),
      storage.presignPut(keys.poster, {
        contentType: 'image/jpeg',
        maxBytes: MAX_POSTER_BYTES,
        expiresIn: URLS_EXPIRE,
      }),
    ])
    return {
      lease_id: lease.lease_id,
      job_id: lease.job_id,
      model: lease.model,
      attempt: lease.attempt,
      deadline: leases.deadline(),
      heartbeat_interval: leaseDuration / 3000,
      settings: bull.data.settings,
      image_url,
      ...(images ? { images } : {}),
      uploads: { video, poster },
    }
  }
}
