/**
 * Group commit: what is asked in one turn of the event loop, or while the step before is on its way, goes to the store together. It answers
 * sixteen writes in one step in little more time than one, and nobody waits for company.
 */
import { setImmediate, setTimeout } from 'node:timers/promises'
import { isOutage } from './outage.ts'

export interface GatherOptions<Item, Result> {
  /** Does one thing. */
  readonly one: (item: Item) => Promise<Result>
  /** Does several, and answers in their order. It has to do all or none of them, or things that may be done twice. */
  readonly many: (items: readonly Item[]) => Promise<readonly Result[]>
  /** Default 64. */
  readonly atMost?: number
  /** Milliseconds that the first waits for company. Default 0: one turn of the event loop. */
  readonly within?: number
}

interface Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

/**
 * @returns what takes one item and answers when it has been done
 * @example
 * const add = gather({ one: (job) => queue.add(job), many: (jobs) => queue.addBulk(jobs) })
 */
export function gather<Item, Result>(options: GatherOptions<Item, Result>): (item: Item) => Promise<Result> {
  const { one, many, atMost = 64, within = 0 } = options
  const line: Waiting<Item, Result>[] = []
  let busy = false

  async function send(): Promise<void> {
    busy = true
    while (line.length > 0) {
      // The embedded store computes in this thread: requests that came meanwhile have to be read first, or nothing would ever be together.
      await (line.length < atMost && within > 0 ? setTimeout(within) : setImmediate())
      await sendTogether(line.splice(0, atMost))
    }
    busy = false
  }

  async function sendTogether(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    if (batch.length === 1) return sendAlone(batch)
    try {
      const results = await many(batch.map(({ item }) => item))
      batch.forEach(({ resolve }, place) => resolve(results[place]!))
    } catch (error) {
      // One bad item must not spoil the others: each hears what is wrong with its own. But nothing is sent later that was refused by then.
      if (!isOutage(error)) return sendAlone(batch)
      for (const { reject } of [...batch, ...line.splice(0)]) reject(error)
    }
  }

  async function sendAlone(batch: readonly Waiting<Item, Result>[]): Promise<void> {
    await Promise.all(batch.map(({ item, resolve, reject }) => one(item).then(resolve, reject)))
  }

  return (item) =>
    new Promise((resolve, reject) => {
      line.push({ item, resolve, reject })
      if (!busy) void send()
    })
}
