/**
 * The one way to end a job. BullMQ lets only the holder of a job end it: where a worker holds it, the server, which knows the worker's token, ends it
 * with that; where nobody does, it takes the job to the head of the queue and claims it itself.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { UnrecoverableError } from 'bullmq'
import type { deliveryOptions } from '../jobs/delivery.ts'
import type { Ending } from '../jobs/ending.ts'
import { failureText, type VideoJob } from '../jobs/video-job.ts'
import { finalOutsideTheLine, type JobView, progressOf } from '../jobs/view.ts'
import { isRefusal, type ModelQueue, type Queues } from '../queues.ts'
import type { Reader } from '../reading/reader.ts'
import type { History } from '../stores/history.ts'
import { reach } from '../stores/outage.ts'
import { asHolder } from '../leases/lease-book.ts'
import type { EndingTransition, EndOf } from './table.ts'

const TRIES = 8

/** A job whose lock one has. */
export interface Locked {
  readonly bull: VideoJob
  readonly token: string
}

export interface End {
  /**
   * Ends a job with the lock of whoever holds it.
   * @returns how the job stands, which is not as asked where another ending came first
   * @throws ApiError `lease_lost`
   */
  asHolder<Name extends EndingTransition>(
    transition: Name,
    locked: Locked,
    ending: Ending & { status: EndOf<Name> },
  ): Promise<JobView | null>
  /**
   * Ends a job that is not in the line of workers yet.
   * @returns false where it has got there meanwhile
   */
  outsideTheLine<Name extends EndingTransition>(
    transition: Name,
    job: { readonly model: ModelQueue; readonly jobId: string },
    ending: Ending & { status: EndOf<Name> },
  ): Promise<boolean>
  /** Ends a job whoever holds it. */
  anyway<Name extends EndingTransition>(
    transition: Name,
    job: { readonly model: ModelQueue; readonly jobId: string },
    ending: Ending & { status: EndOf<Name> },
  ): Promise<JobView | null>
}

/** Looks at a job that may get into the line of workers at any moment. */
export const LOOKS = TRIES

export interface EndParts {
  readonly reader: Reader
  readonly history: History
  readonly queues: Queues
  readonly clock: () => number
  /** Of a delivery in BullMQ. */
  readonly deliveryOptions: ReturnType<typeof deliveryOptions>
}

export function createEnd(parts: EndParts): End {
  const { reader } = parts
  return {
    async asHolder(_transition, locked, ending) {
      await asHolder(() => apply(ending, locked))
      return reader.keepEnd(locked.bull.id ?? '')
    },
    outsideTheLine: (_transition, { model, jobId }, ending) => endOutsideTheLine(parts, model, jobId, ending),
    async anyway(_transition, { model, jobId }, ending) {
      // Its pictures may come, and the job get into the line, between the two.
      for (let look = 0; look < LOOKS; look++) {
        if (await settle(model, jobId, ending)) break
        if (await endOutsideTheLine(parts, model, jobId, ending)) break
      }
      return reader.keepEnd(jobId)
    },
  }
}

/**
 * Ends a job that is not in the line of workers yet: its pictures are being fetched. The first end that is written stays.
 * @returns whether there is nothing left to end
 */
async function endOutsideTheLine(
  { reader, history, queues, clock, deliveryOptions: options }: EndParts,
  model: ModelQueue,
  jobId: string,
  ending: Ending,
): Promise<boolean> {
  const entry = await reach(() => history.get(jobId))
  if (!entry || entry.final) return true
  const live = await reader.live(entry.record)
  if (live) return live.state === 'ended'
  const { record } = entry
  const now = clock()
  await reach(() => history.finish(jobId, finalOutsideTheLine(record, ending, now)))
  const { tenant, webhook_url: url } = record
  if (url !== undefined) {
    await reach(() => queues.deliveries.add('webhook', { job_id: jobId, tenant, url }, { jobId, ...options }))
  }
  await model.announce(jobId).catch(() => undefined)
  return true
}

function apply(ending: Ending, { bull, token }: Locked): Promise<unknown> {
  if (ending.status === 'completed') return bull.moveToCompleted(ending.result, token, false)
  const { code, message } = ending.status === 'canceled' ? { code: 'canceled', message: 'Canceled' } : ending
  return bull.moveToFailed(new UnrecoverableError(failureText(code, message)), token, false)
}

/** One at a time for each queue: two at once would take each other's job from the head. */
const turns = new WeakMap<ModelQueue, Promise<unknown>>()

async function settle(model: ModelQueue, jobId: string, ending: Ending): Promise<boolean> {
  const previous = turns.get(model) ?? Promise.resolve()
  const mine = previous.then(() => take(model, jobId, ending))
  turns.set(
    model,
    mine.catch(() => undefined),
  )
  return mine
}

async function take(model: ModelQueue, jobId: string, ending: Ending): Promise<boolean> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    // Whoever holds it without a lease yet is about to tell, or to give it back.
    if (attempt > 0) await delay(Math.min(10 * 2 ** attempt, 500))
    const [bull, state] = await reach(() => Promise.all([model.queue.getJob(jobId), model.queue.getJobState(jobId)]))
    if (!bull || bull.finishedOn !== undefined) return false
    if (state === 'active') {
      const holder = progressOf(bull)?.lease_id
      if (holder !== undefined && (await succeeds(() => apply(ending, { bull, token: holder })))) return true
      continue
    }
    if (state === 'delayed') await succeeds(() => bull.promote())
    await succeeds(() => bull.changePriority({ priority: 0, lifo: true }))
    const locked = await claimNow(model)
    if (locked?.bull.id === jobId) {
      await reach(() => apply(ending, locked))
      return true
    }
    if (locked) await putBack(model, locked)
  }
  return false
}

async function claimNow(model: ModelQueue): Promise<Locked | null> {
  const token = randomUUID()
  const claimed = await reach(
    () => model.worker.getNextJob(token, { block: false }),
    (late) => late?.id !== undefined && void putBack(model, { bull: late, token }).catch(() => undefined),
  )
  if (claimed?.id === undefined) return null
  // The queue's own object: the worker's hangs while the store is away.
  const bull = await reach(() => model.queue.getJob(claimed.id ?? ''))
  return bull ? { bull, token } : null
}

/** Gives a held job back to the head of the queue without using an attempt; one that was canceled meanwhile ends. */
export async function putBack(model: ModelQueue, { bull, token }: Locked): Promise<void> {
  const current = bull.id === undefined ? undefined : await reach(() => model.queue.getJob(bull.id ?? ''))
  if (!current) return
  if (current.data.canceled_at !== undefined) {
    await reach(() => apply({ status: 'canceled' }, { bull: current, token }))
    return
  }
  await reach(() => current.moveToWait(token))
  // Waiting at a priority of its own it would wake nobody; the head of the queue does, and keeps its turn.
  await succeeds(() => current.changePriority({ priority: 0, lifo: true }))
}

/** BullMQ refuses what has changed in the meantime with a negative code; the caller looks again. */
async function succeeds(operation: () => Promise<unknown>): Promise<boolean> {
  try {
    await reach(operation)
    return true
  } catch (error) {
    if (isRefusal(error)) return false
    throw error
  }
}
