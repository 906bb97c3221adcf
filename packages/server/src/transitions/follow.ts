/**
 * What follows an ending: BullMQ's job is ended or removed, the delivery is added, what a failed job left is swept, and the entry is taken out of the
 * outbox. All of it may be done again by anybody, so whoever dies in between is carried on by the next process that looks into the outbox.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { UnrecoverableError } from 'bullmq'
import type { Logger } from 'pino'
import { ApiError } from '../api-error.ts'
import type { deliveryOptions } from '../jobs/delivery.ts'
import type { FinalSnapshot, HistoryEntry, JobRecord } from '../jobs/record.ts'
import { failureText } from '../jobs/video-job.ts'
import { dropOutputs } from '../leases/results.ts'
import { isRefusal, type ModelQueue, type Queues } from '../queues.ts'
import { createRepeating } from '../repeating.ts'
import type { Reader } from '../reading/reader.ts'
import type { Storage } from '../storage/index.ts'
import type { History } from '../stores/history.ts'
import { reach } from '../stores/outage.ts'
import type { Decided, JobPlace, JobStates } from '../stores/states.ts'

/** How often BullMQ's job is looked at that changes hands just now, and milliseconds before the first look more. */
const TRIES = 8
const PATIENCE = 5

/** Milliseconds between two looks into the outbox, after which an ending counts as left behind, and how many are taken at a time. */
const EVERY = 1000
const LEFT_AFTER = 2000
const BATCH = 100

export interface FollowOptions {
  readonly queues: Queues
  readonly history: History
  readonly states: JobStates
  readonly reader: Reader
  /** BullMQ's options of a delivery. */
  readonly delivery: ReturnType<typeof deliveryOptions>
  readonly storage: Storage
  readonly logger: Logger
}

export interface Follow {
  /** After a decision. It never throws: what cannot be done now is left to the outbox. */
  now(record: JobRecord, decided: Decided & { kind: 'ended' }): Promise<void>
  /** Does what is left behind, from now on. */
  start(): void
  close(): void
}

type EndedEntry = HistoryEntry & { readonly final: FinalSnapshot }

export function createFollow(options: FollowOptions): Follow {
  const { queues, history, states, reader, storage, delivery, logger } = options
  async function follow({ record, final, webhook }: EndedEntry, holder: string | null): Promise<void> {
    const place = reader.place(record)
    const model = queues.find(place.queue)
    if (model) await endInQueue(model, place, final, holder)
    const isTold = webhook !== undefined && webhook.status !== 'pending'
    if (record.webhook_url !== undefined && !isTold) await deliver(record, record.webhook_url)
    // A worker that died while it completed the job may have moved its video already.
    if (final.job.status !== 'completed' && final.lease_id !== undefined) await dropOutputs(storage, record.job_id)
    await reach(() => states.followed(record.job_id))
  }

  /** The holder's own token ends a job that is held; one that nobody holds is removed. BullMQ refuses what has changed hands: then it is looked at again. */
  async function endInQueue(
    { queue }: ModelQueue,
    place: JobPlace,
    final: FinalSnapshot,
    holder: string | null,
  ): Promise<void> {
    let token = holder
    for (let attempt = 0; attempt < TRIES; attempt++) {
      if (attempt > 0) {
        await delay(PATIENCE * 2 ** attempt)
        token = await reach(() => states.holder(place))
      }
      const bull = await reach(() => queue.getJob(place.job_id))
      if (!bull || bull.finishedOn !== undefined) return
      try {
        if (token === null) await reach(() => bull.remove({ removeChildren: false }))
        else if (final.job.status === 'completed' && final.video) {
          const { lease_id, video, poster_key } = final
          await reach(() => bull.moveToCompleted({ lease_id, video, poster_key }, token ?? '', false))
        } else await reach(() => bull.moveToFailed(new UnrecoverableError(reasonOf(final)), token ?? '', false))
        return
      } catch (error) {
        if (error instanceof ApiError) throw error
        // A job that is held cannot be removed, and says so without a code.
        if (!isRefusal(error) && token !== null) throw error
      }
    }
    throw new Error(`BullMQ's job ${place.job_id} keeps changing hands.`)
  }

  /** Adding twice is adding once. Jobs of servers before 0.2 have theirs already: it is their parent in a flow. */
  async function deliver({ job_id: jobId, tenant }: JobRecord, url: string): Promise<void> {
    await reach(() => queues.deliveries.add('webhook', { job_id: jobId, tenant, url }, { jobId, ...delivery }))
  }

  async function followQuietly(ended: EndedEntry, holder: string | null): Promise<void> {
    await follow(ended, holder).catch((error: unknown) =>
      logger.warn({ job_id: ended.record.job_id, error }, 'an ending waits for what follows it'),
    )
  }

  async function look(): Promise<void> {
    const left = await reach(() => states.unfollowed(LEFT_AFTER, BATCH))
    await Promise.all(
      left.map(async (jobId) => {
        const entry = await reach(() => history.get(jobId))
        if (!entry?.final) return
        const holder = await reach(() => states.holder(reader.place(entry.record)))
        await followQuietly({ ...entry, final: entry.final }, holder)
      }),
    )
  }

  const looks = createRepeating(look, EVERY, (error) =>
    logger.debug({ error }, 'the outbox: the next look tries again'),
  )

  return {
    async now(record, { final, mine, holder }) {
      // Another's ending is followed by the other one, unless somebody has claimed the job since.
      if (!mine && holder === null) return
      await followQuietly({ record, final }, holder)
    },
    start: looks.start,
    close: looks.close,
  }
}

function reasonOf({ job }: FinalSnapshot): string {
  return failureText(job.error_code ?? 'internal_error', job.error_message ?? 'Canceled')
}
