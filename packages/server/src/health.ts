/** How the server stands: it never throws and never hangs. */
import type { Health } from '@kinora/protocol'
import type { Inputs } from './inputs/index.ts'
import type { Presence } from './models/presence.ts'
import type { Queues } from './queues.ts'
import type { Monitor } from './stores/monitor.ts'
import { reach } from './stores/outage.ts'
import type { StoreName } from './stores/store.ts'

/** Milliseconds that counts are good for: Postgres takes tens of milliseconds to count a long queue. */
const FRESH = 1500

export interface HealthOptions {
  readonly queues: Queues
  readonly inputs: Pick<Inputs, 'count'>
  readonly monitor: Monitor
  readonly presence: Presence
  readonly backend: StoreName
  readonly version: string | undefined
  readonly clock: () => number
}

interface Counts {
  readonly pending: number
  readonly processing: number
  readonly completed: number
  readonly failed: number
}

const NONE: Counts = { pending: 0, processing: 0, completed: 0, failed: 0 }

export function createHealth({
  queues,
  inputs,
  monitor,
  presence,
  backend,
  version,
  clock,
}: HealthOptions): () => Promise<Health> {
  let counted = new Map<string, Counts>()
  let countedAt = -Infinity
  let counting: Promise<string | null> = Promise.resolve(null)

  function count(): Promise<string | null> {
    if (clock() - countedAt < FRESH) return counting
    countedAt = clock()
    counting = reach(async () => {
      const all = await Promise.all(
        queues.all.map(async ({ model, queue }) => {
          const [counts, fetching] = await Promise.all([
            queue.getJobCounts('waiting', 'prioritized', 'delayed', 'active', 'completed', 'failed'),
            inputs.count(model),
          ])
          const of = (name: string): number => counts[name] ?? 0
          return [
            model,
            {
              pending: of('waiting') + of('prioritized') + of('delayed') + fetching,
              processing: of('active'),
              completed: of('completed'),
              failed: of('failed'),
            },
          ] as const
        }),
      )
      counted = new Map(all)
      return null
    }).catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
    return counting
  }

  return async () => {
    const problem = (await monitor.problem()) ?? (await count())
    const models = await Promise.all(
      queues.models.map(async (model) => {
        const { pending, processing } = counted.get(model) ?? NONE
        return [model, { pending, processing, worker_seen_seconds_ago: await presence.secondsAgo(model) }] as const
      }),
    )
    const queue = [...counted.values()].reduce(
      (sum, one) => ({
        pending: sum.pending + one.pending,
        processing: sum.processing + one.processing,
        completed: sum.completed + one.completed,
        failed: sum.failed + one.failed,
      }),
      NONE,
    )
    return {
      api: 'ok',
      redis: problem === null ? 'ok' : 'error',
      queue,
      backend,
      models: Object.fromEntries(models),
      ...(version === undefined ? {} : { version }),
    }
  }
}
