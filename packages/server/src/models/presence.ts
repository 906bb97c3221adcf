/** Whether anybody works: when a worker last asked for each model, told to all processes that share the store. */
import type { History } from '../stores/history.ts'

/** Seconds without a sign of any worker after which a model is not served, and waiting jobs say so. A claim waits up to 25 s, and a heartbeat comes more often. */
const UNSEEN_AFTER = 60

/** Milliseconds between two writes for one model, and between two reads. */
const WRITE_EVERY = 5000
const READ_EVERY = 2000

export interface Presence {
  /** A worker asked for this model, or reported on a job of it. */
  saw(model: string): void
  /** Seconds since a worker was last seen; null when none was since the start. Never throws: the last known answer counts. */
  secondsAgo(model: string): Promise<number | null>
  /** Whether a worker was seen lately. */
  isServed(model: string): Promise<boolean>
  /** What a waiting job should say. */
  notice(model: string): Promise<string | undefined>
}

export function createPresence(history: History, clock: () => number): Presence {
  const startedAt = clock()
  const seen = new Map<string, number>()
  const written = new Map<string, number>()
  let readAt = -Infinity
  let reading: Promise<void> = Promise.resolve()

  function refresh(): Promise<void> {
    if (clock() - readAt < READ_EVERY) return reading
    readAt = clock()
    reading = read().catch(() => undefined)
    return reading
  }

  async function read(): Promise<void> {
    for (const [model, moment] of await history.workersSeen()) {
      seen.set(model, Math.max(moment, seen.get(model) ?? 0))
    }
  }

  const presence: Presence = {
    saw(model) {
      const now = clock()
      seen.set(model, now)
      if (now - (written.get(model) ?? -Infinity) < WRITE_EVERY) return
      written.set(model, now)
      history.sawWorker(model, now).catch(() => undefined)
    },
    async secondsAgo(model) {
      await refresh()
      const moment = seen.get(model)
      return moment === undefined ? null : Math.max(Math.round((clock() - moment) / 1000), 0)
    },
    async isServed(model) {
      return ((await presence.secondsAgo(model)) ?? Infinity) <= UNSEEN_AFTER
    },
    async notice(model) {
      if (await presence.isServed(model)) return undefined
      const seconds = await presence.secondsAgo(model)
      if (seconds === null && clock() - startedAt < UNSEEN_AFTER * 1000) return undefined
      return `No worker has asked for "${model}" ${seconds === null ? 'so far' : 'lately'}: the job waits until one is started.`
    },
  }
  return presence
}
