/**
 * Who waits for work. For each model one loop fetches from BullMQ, only while some worker waits, and hands the job to the one that has waited
 * longest: ten thousand waiting workers are ten thousand open requests, not ten thousand queue connections.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Lease } from '@kinora/protocol'
import type { Logger } from 'pino'
import { ApiError } from '../api-error.ts'
import type { VideoJob } from '../jobs/video-job.ts'
import type { ModelQueue } from '../queues.ts'
import type { Monitor } from '../stores/monitor.ts'
import { queueUnavailable } from '../stores/outage.ts'

/** Milliseconds between two looks at the store while somebody waits, and after an error of the queue. */
const WATCH_EVERY = 2000
const AFTER_ERROR = 500

export interface HubOptions {
  readonly model: ModelQueue
  readonly monitor: Monitor
  readonly logger: Logger
  /** Makes a lease of a claimed job; null when the job was not to be handed out and has been dealt with. */
  readonly prepare: (claimed: { jobId: string; token: string; worker: string }) => Promise<Lease | null>
  /** Gives a claimed job back without using an attempt. */
  readonly giveBack: (claimed: { jobId: string; token: string }) => Promise<unknown>
}

export interface Hub {
  /** @param wait seconds */
  claim(worker: string, wait: number, signal?: AbortSignal): Promise<Lease | null>
  /** How many wait. */
  readonly waiting: number
  /** Ends waiting claims with `shutting_down`. */
  close(): void
}

interface Waiter {
  readonly worker: string
  /** Set once it has its answer, or has gone. */
  gone: boolean
  answer(lease: Lease | null): void
  refuse(error: Error): void
}

export function createHub({ model, monitor, logger, prepare, giveBack }: HubOptions): Hub {
  const line: Waiter[] = []
  const serving = new Set<Waiter>()
  let looping = false
  let closed = false
  let watch: NodeJS.Timeout | undefined

  function refuseAll(error: () => Error): void {
    for (const waiter of [...line, ...serving]) waiter.refuse(error())
  }

  /** A claim that BullMQ holds while the store is away would wait for ever. */
  function watchStore(): void {
    watch ??= setInterval(() => {
      if (line.length === 0 && serving.size === 0) {
        clearInterval(watch)
        watch = undefined
        return
      }
      void refuseInOutage()
    }, WATCH_EVERY)
    watch.unref()
  }

  async function refuseInOutage(): Promise<void> {
    if ((await monitor.problem()) !== null) refuseAll(() => queueUnavailable())
  }

  const isWanted = (): boolean => line.length > 0 && !closed

  async function loop(): Promise<void> {
    if (looping) return
    looping = true
    let empty = 0
    while (isWanted()) {
      const token = randomUUID()
      const began = performance.now()
      let claimed: VideoJob | undefined
      try {
        claimed = await model.worker.getNextJob(token)
      } catch (error) {
        logger.debug({ model: model.model, error: error instanceof Error ? error.message : error }, 'claim')
        await delay(AFTER_ERROR)
      }
      if (claimed?.id !== undefined) {
        hand({ jobId: claimed.id, token })
        empty = 0
      } else if (performance.now() - began < 5 && ++empty > 3) {
        // Nothing to wait on (a paused queue): never spin.
        await delay(50)
      }
    }
    looping = false
    // Somebody may have come while the last call returned.
    if (isWanted()) void loop()
  }

  function hand(claimed: { jobId: string; token: string }): void {
    const waiter = line.shift()
    if (waiter) void serve(waiter, claimed)
    else void giveBackQuietly(claimed)
  }

  async function serve(waiter: Waiter, claimed: { jobId: string; token: string }): Promise<void> {
    serving.add(waiter)
    try {
      const lease = await prepare({ ...claimed, worker: waiter.worker })
      if (lease && !waiter.gone && !closed) waiter.answer(lease)
      else if (lease) await giveBackQuietly(claimed)
      else if (!waiter.gone) {
        line.unshift(waiter)
        void loop()
      }
    } catch (error) {
      waiter.refuse(error instanceof Error ? error : new Error(String(error)))
    } finally {
      serving.delete(waiter)
    }
  }

  /** A job that cannot be given back now comes back when its lease ends. */
  async function giveBackQuietly(claimed: { jobId: string; token: string }): Promise<void> {
    await giveBack(claimed).catch((error: unknown) =>
      logger.warn({ job_id: claimed.jobId, error }, 'a job that nobody took returns when its lease ends'),
    )
  }

  return {
    get waiting() {
      return line.length + serving.size
    },

    async claim(worker, wait, signal) {
      if (closed) throw shuttingDown()
      if (signal?.aborted) return null
      if ((await monitor.problem()) !== null) throw queueUnavailable()
      // It may have gone while the store was asked.
      if (signal?.aborted) return null
      return new Promise<Lease | null>((resolve, reject) => {
        const timer = setTimeout(() => waiter.answer(null), wait * 1000)
        const leave = (): void => waiter.answer(null)
        const end = (): boolean => {
          if (waiter.gone) return false
          waiter.gone = true
          clearTimeout(timer)
          signal?.removeEventListener('abort', leave)
          const place = line.indexOf(waiter)
          if (place >= 0) line.splice(place, 1)
          return true
        }
        const waiter: Waiter = {
          worker,
          gone: false,
          answer: (lease) => void (end() && resolve(lease)),
          refuse: (error) => void (end() && reject(error)),
        }
        signal?.addEventListener('abort', leave, { once: true })
        if (closed) return waiter.refuse(shuttingDown())
        line.push(waiter)
        watchStore()
        void loop()
      })
    },

    close() {
      closed = true
      clearInterval(watch)
      refuseAll(shuttingDown)
    },
  }
}

function shuttingDown(): ApiError {
  return new ApiError('shutting_down', 'The server is shutting down. Ask again in a moment.', { retryAfter: 2 })
}
