/**
 * Ends jobs that no worker will: BullMQ lets only the holder of a job end it, so the server takes the job to the head of the queue, claims it
 * itself and ends it.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { UnrecoverableError } from 'bullmq'
import type { ModelQueue, VideoJob } from '../queues.ts'
import { reach } from '../stores/outage.ts'
import { progressOf } from './job.ts'
import { failureText } from './video-job.ts'

const TRIES = 8

/** A job that the server holds. */
export interface Held {
  readonly bull: VideoJob
  readonly token: string
}

/** One at a time for each queue: two at once would take each other's job from the head. */
const turns = new WeakMap<ModelQueue, Promise<unknown>>()

/**
 * Ends a job, whoever holds it: with the holder's own token when a worker does, else by claiming it.
 * @returns whether it was ended by this call
 */
export async function settle(
  model: ModelQueue,
  jobId: string,
  end: (held: Held) => Promise<unknown>,
): Promise<boolean> {
  const previous = turns.get(model) ?? Promise.resolve()
  const mine = previous.then(() => take(model, jobId, end))
  turns.set(
    model,
    mine.catch(() => undefined),
  )
  return mine
}

async function take(model: ModelQueue, jobId: string, end: (held: Held) => Promise<unknown>): Promise<boolean> {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    // Whoever holds it without a lease yet is about to tell, or to give it back.
    if (attempt > 0) await delay(Math.min(10 * 2 ** attempt, 500))
    const [bull, state] = await reach(() => Promise.all([model.queue.getJob(jobId), model.queue.getJobState(jobId)]))
    if (!bull || bull.finishedOn !== undefined) return false
    if (state === 'active') {
      const holder = progressOf(bull)?.lease_id
      if (holder !== undefined && (await succeeds(() => end({ bull, token: holder })))) return true
      continue
    }
    if (state === 'delayed') await succeeds(() => bull.promote())
    await succeeds(() => bull.changePriority({ priority: 0, lifo: true }))
    const held = await claimNow(model)
    if (held?.bull.id === jobId) {
      await reach(() => end(held))
      return true
    }
    if (held) await putBack(model, held)
  }
  return false
}

async function claimNow(model: ModelQueue): Promise<Held | null> {
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
export async function putBack(model: ModelQueue, { bull, token }: Held): Promise<void> {
  const current = bull.id === undefined ? undefined : await reach(() => model.queue.getJob(bull.id ?? ''))
  if (!current) return
  if (current.data.canceled_at !== undefined) {
    await reach(() => failWith('canceled', 'Canceled')({ bull: current, token }))
    return
  }
  await reach(() => current.moveToWait(token))
  // Waiting at a priority of its own it would wake nobody; the head of the queue does, and keeps its turn.
  await succeeds(() => current.changePriority({ priority: 0, lifo: true }))
}

/** Ends a held job badly, without further attempts. */
export function failWith(code: string, message: string): (held: Held) => Promise<unknown> {
  return ({ bull, token }) => bull.moveToFailed(new UnrecoverableError(failureText(code, message)), token, false)
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

/** Whether BullMQ refused because the job is not, or no longer, the caller's. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && error.code < 0
}
