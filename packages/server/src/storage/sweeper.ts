/** Removes what nobody needs any more: uploads that no job used, results of lost leases, and, where the operator wants it, old pictures and videos. */
import type { Logger } from 'pino'
import type { Storage } from './storage.ts'

export interface SweepOptions {
  readonly storage: Storage
  /** Seconds that pictures and videos are kept. Undefined: for ever. */
  readonly objectTtl: number | undefined
  readonly now: Date
  readonly signal?: AbortSignal
}

const DAY = 24 * 3600

/** What was left behind: uploads are copied soon after a job has named them, and results are promoted when it ends. */
const LEFT_BEHIND: readonly { prefix: string; seconds: number }[] = [
  // Long enough for a job that was accepted while the server was about to be stopped for some days.
  { prefix: 'uploads/', seconds: 7 * DAY },
  { prefix: 'leases/', seconds: DAY },
]

/** One round. @returns how many objects were removed */
export async function sweep({ storage, objectTtl, now, signal }: SweepOptions): Promise<number> {
  const kept = objectTtl === undefined ? [] : ['inputs/', 'outputs/'].map((prefix) => ({ prefix, seconds: objectTtl }))
  let removed = 0
  for (const { prefix, seconds } of [...LEFT_BEHIND, ...kept]) {
    const oldest = now.getTime() - seconds * 1000
    for await (const { key, lastModified } of storage.list(prefix)) {
      if (signal?.aborted) return removed
      if (lastModified.getTime() >= oldest) continue
      await storage.delete(key)
      removed++
    }
  }
  return removed
}

/** Sweeps now and then until it is stopped; several processes may do so on one storage. */
export function startSweeper(options: {
  readonly storage: Storage
  readonly objectTtl: number | undefined
  readonly logger: Logger
  /** Seconds from one round to the next. Default one hour; shorter where objects live shorter. */
  readonly interval?: number
}): { stop(): Promise<void> } {
  const { storage, objectTtl, logger, interval = Math.min(3600, Math.max(60, (objectTtl ?? DAY) / 4)) } = options
  const stopping = new AbortController()
  let round: Promise<void> = Promise.resolve()

  async function once(): Promise<void> {
    try {
      const removed = await sweep({ storage, objectTtl, now: new Date(), signal: stopping.signal })
      if (removed > 0) logger.info({ removed }, 'old objects were removed')
    } catch (error) {
      logger.warn({ err: error }, 'old objects could not be removed; trying again later')
    }
  }
  const timer = setInterval(() => (round = once()), interval * 1000)
  timer.unref()

  return {
    stop: () => {
      clearInterval(timer)
      stopping.abort()
      return round
    },
  }
}
