/**
 * Remove: a tenant wants nothing of the job left.
 *
 * From every state, by the tenant. It cancels first, then removes the delivery, BullMQ's job, the objects and, last, the record: until then it may be
 * repeated after a crash. Then: nobody knows the job.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ApiError } from '../api-error.ts'
import { storageUnavailable } from '../inputs/index.ts'
import { inputKey, leaseKeys, outputKeys } from '../jobs/keys.ts'
import { StorageError } from '../storage/index.ts'
import { reach } from '../stores/outage.ts'
import type { Cancel } from './cancel.ts'
import type { TransitionParts } from './parts.ts'

/** Milliseconds between two looks at something that is still held, and how often. */
const PATIENCE = 100
const TRIES = 20

/** @throws ApiError `job_not_found`, `queue_unavailable`, `storage_unavailable` */
export type Remove = (tenant: string, jobId: string) => Promise<void>

export function createRemove({ queues, history, storage, reader }: TransitionParts, cancel: Cancel): Remove {
  return async (tenant, jobId) => {
    const { entry, live, place } = await reader.known(jobId, tenant)
    if (!entry.final) await cancel(jobId, tenant)
    const lease = live?.progress?.lease_id ?? entry.final?.lease_id
    const model = queues.find(place.queue)

    // The parent first: a child that is removed before it releases the parent with nothing in it.
    await removeWhenFree(() => queues.deliveries.getJob(jobId), { removeChildren: false })
    if (model) await removeWhenFree(() => model.queue.getJob(jobId), { removeChildren: false }, true)
    const { pictures = [undefined] } = entry.record
    const objects = [
      ...pictures.map((_, index) => inputKey(jobId, index)),
      // Nothing of the picture is left, wherever it came from.
      ...pictures.flatMap((picture) => (picture && 'key' in picture.from ? [picture.from.key] : [])),
      ...Object.values(outputKeys(jobId)),
      ...(lease === undefined ? [] : Object.values(leaseKeys(lease))),
    ]
    await removeObjects(objects)
    await reach(() => history.remove(jobId))
    reader.forget(jobId)
    // Whoever was writing one meanwhile looks for the record afterwards: he has seen that it is gone, or had written before this.
    await removeObjects(objects)
    await model?.announce(jobId).catch(() => undefined)
  }

  async function removeObjects(keys: readonly string[]): Promise<void> {
    try {
      await Promise.all(keys.map((key) => storage.delete(key)))
    } catch (error) {
      throw error instanceof StorageError && error.retryable ? storageUnavailable(error) : error
    }
  }
}

interface Removable {
  remove(options: { removeChildren: boolean }): Promise<void>
}

/** BullMQ refuses to remove what is held. A delivery that is being sent is let go: it looks for the record before each attempt. */
async function removeWhenFree(
  get: () => Promise<Removable | undefined>,
  options: { removeChildren: boolean },
  must = false,
): Promise<void> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const job = await reach(get)
    if (!job) return
    try {
      await reach(() => job.remove(options))
      return
    } catch (error) {
      // Held, or let go between the refusal and now: looking again tells.
      if (error instanceof ApiError) throw error
      await delay(PATIENCE)
    }
  }
  if (must) {
    throw new ApiError(
      'queue_unavailable',
      'The job was canceled, but a worker still holds it. Delete it again in a minute.',
      {
        retryAfter: 30,
      },
    )
  }
}
