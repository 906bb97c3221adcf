/**
 * The queue of pictures that are to be fetched, in BullMQ beside the line of workers: one for each model, as the priorities that tenants draw can only be
 * compared within a model. What lies in it survives the process, and whoever dies with a fetch has it done again by another.
 */
import {
  DelayedError,
  type IQueueBackend,
  type Job as BullJob,
  type Queue,
  type withBackend,
  type Worker,
} from 'bullmq'
import type { Logger } from 'pino'
import { gather } from '../stores/gather.ts'
import type { StoreConnection } from '../stores/store.ts'

export interface FetchQueuesOptions {
  readonly bullmq: ReturnType<typeof withBackend<IQueueBackend, StoreConnection>>
  readonly connection: StoreConnection
  readonly models: readonly string[]
  /** Fetches that this process holds at a time, of one model. */
  readonly claims: number
  readonly process: (claimed: ClaimedFetch) => Promise<FetchOutcome>
  /** Milliseconds after each try that failed. */
  readonly delays: readonly number[]
  /** Milliseconds after which the fetch of a process that has died is taken by another. */
  readonly lockDuration: number
  readonly logger: Logger
}

export interface ClaimedFetch {
  readonly jobId: string
  readonly tenant: string
  /** How many the job has. */
  readonly pictures: number
  /** Of the job, in the line of workers too. */
  readonly priority: number
  /** Tries that were made: those that failed, and those whose process died with them. */
  readonly tries: number
  /** How often it was claimed, this time included. */
  readonly claims: number
}

/** What became of a claimed fetch. A thrown error is a try that failed and is made again. */
export type FetchOutcome = { readonly done: true } | { readonly done: false; readonly later: number }

export interface NewFetch {
  readonly jobId: string
  readonly tenant: string
  readonly model: string
  /** How many the job has. */
  readonly pictures: number
  readonly priority: number
  /** Milliseconds since 1970. */
  readonly timestamp: number
}

export interface FetchQueues {
  /** Adding twice is adding once. */
  add(fetch: NewFetch): Promise<void>
  /** Takes a fetch out, unless somebody holds it. */
  drop(model: string, jobId: string): Promise<void>
  has(model: string, jobId: string): Promise<boolean>
  /** Fetches of a model, held ones included. */
  count(model: string): Promise<number>
  start(): void
  close(): Promise<void>
}

interface FetchData {
  readonly tenant: string
  readonly pictures: number
}

type FetchQueue = Queue<FetchData, void, string, FetchData, void, string, IQueueBackend, StoreConnection>
type FetchWorker = Worker<FetchData, void, string, IQueueBackend, never, StoreConnection>

/** Enough that BullMQ never ends a fetch by itself, without a word to us: tries are counted by whoever holds it. */
const NEVER = 1000

export async function createFetchQueues(options: FetchQueuesOptions): Promise<FetchQueues> {
  const { bullmq, connection, models, claims, process, delays, lockDuration, logger } = options
  const onError = (error: Error): void => logger.debug({ error: error.message }, 'the queue of pictures')

  async function run(bull: BullJob<FetchData, void>, token: string | undefined): Promise<void> {
    const outcome = await process({
      jobId: bull.id ?? '',
      ...bull.data,
      priority: bull.priority,
      tries: bull.attemptsMade + bull.stalledCounter,
      claims: bull.attemptsStarted,
    })
    if (outcome.done) return
    await bull.moveToDelayed(Date.now() + Math.round(outcome.later), token)
    throw new DelayedError()
  }

  const byModel = new Map(
    models.map((model) => {
      // A name that no model's own queue can have: those begin with `video-generation`.
      const name = `pictures-${model}`
      const queue: FetchQueue = new bullmq.Queue<FetchData, void>(name, { connection })
      const worker: FetchWorker = new bullmq.Worker<FetchData, void, string, never>(name, run, {
        connection,
        autorun: false,
        concurrency: claims,
        lockDuration,
        stalledInterval: Math.max(Math.min(lockDuration / 2, 5000), 250),
        maxStalledCount: NEVER,
        drainDelay: 5,
        settings: {
          backoffStrategy: (made) => Math.round(delays[Math.min(made, delays.length) - 1] ?? 0),
        },
      })
      queue.on('error', onError)
      worker.on('error', onError)
      const add = gather<NewFetch, void>({
        one: async (fetch) => void (await queue.add('picture', jobData(fetch), jobOptions(fetch))),
        many: async (fetches) => {
          const added = await queue.addBulk(
            fetches.map((fetch) => ({ name: 'picture', data: jobData(fetch), opts: jobOptions(fetch) })),
          )
          if (added.length !== fetches.length) throw new Error('The queue of pictures is being closed.')
          return fetches.map(() => undefined)
        },
      })
      return [model, { queue, worker, add }] as const
    }),
  )
  const all = [...byModel.values()]
  await Promise.all(all.flatMap(({ queue, worker }) => [queue.waitUntilReady(), worker.waitUntilReady()]))

  const of = (model: string) => {
    const found = byModel.get(model)
    if (!found) throw new Error(`There is no queue of pictures for "${model}".`)
    return found
  }

  return {
    add: (fetch) => of(fetch.model).add(fetch),

    async drop(model, jobId) {
      const fetch = await of(model).queue.getJob(jobId)
      // BullMQ refuses to remove what is held: its holder finds out that nobody wants it any more.
      await fetch
        ?.remove()
        .catch((error: unknown) => onError(error instanceof Error ? error : new Error(String(error))))
    },

    has: async (model, jobId) => (await of(model).queue.getJob(jobId)) !== undefined,

    async count(model) {
      const counts = await of(model).queue.getJobCounts('waiting', 'prioritized', 'delayed', 'active')
      return Object.values(counts).reduce((sum, one) => sum + one, 0)
    },

    start() {
      // It rejects when the worker is closed while it connects.
      for (const { worker } of all) worker.run().catch(onError)
    },

    async close() {
      await Promise.allSettled(all.map(({ worker }) => worker.close()))
      await Promise.allSettled(all.map(({ queue }) => queue.close()))
    },
  }
}

function jobData({ tenant, pictures }: NewFetch): FetchData {
  return { tenant, pictures }
}

function jobOptions({ jobId, priority, timestamp }: NewFetch) {
  return {
    jobId,
    priority,
    timestamp,
    attempts: NEVER,
    backoff: { type: 'custom' },
    removeOnComplete: true,
    removeOnFail: true,
  }
}
