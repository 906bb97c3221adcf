/** BullMQ's objects of this process: one queue and one claiming worker for each model, the deliveries, and the flows that tie them. */
import {
  type BackendFactory,
  type FlowJob,
  type FlowProducer,
  type IQueueBackend,
  type Queue,
  type QueueEvents,
  type QueueEventsProducer,
  withBackend,
  type Worker,
} from 'bullmq'
import type { Logger } from 'pino'
import { ApiError } from './api-error.ts'
import { DELIVERY_QUEUE, type DeliveryData } from './jobs/delivery.ts'
import type { VideoProgress } from './jobs/record.ts'
import { queueName, type VideoData, type VideoResult } from './jobs/video-job.ts'
import { gather } from './stores/gather.ts'
import { CHANGED } from './stores/states.ts'
import type { Store, StoreConnection } from './stores/store.ts'

export type VideoQueue = Queue<
  VideoData,
  VideoResult,
  string,
  VideoData,
  VideoResult,
  string,
  IQueueBackend,
  StoreConnection
>
export type VideoWorker = Worker<VideoData, VideoResult, string, IQueueBackend, VideoProgress, StoreConnection>
export type DeliveryQueue = Queue<
  DeliveryData,
  unknown,
  string,
  DeliveryData,
  unknown,
  string,
  IQueueBackend,
  StoreConnection
>

/** One model's part of the queue. */
export interface ModelQueue {
  readonly model: string
  readonly name: string
  readonly queue: VideoQueue
  /** Claims, and finds dead leases; it runs no jobs by itself. */
  readonly worker: VideoWorker
  /** Tells streams of a change that BullMQ has no event for. */
  readonly announce: (jobId: string) => Promise<void>
}

export interface Queues {
  readonly models: readonly string[]
  /** @throws ApiError `unknown_model` */
  of(model: string): ModelQueue
  /** By BullMQ's name of the queue; undefined for a model that is no more served. */
  find(name: string): ModelQueue | undefined
  readonly all: readonly ModelQueue[]
  readonly deliveries: DeliveryQueue
  /** Adds a tree of jobs that have ids of their own; those that come at the same time go to the store together. Adding twice is adding once. */
  readonly add: (flow: FlowJob) => Promise<void>
  readonly bullmq: ReturnType<typeof withBackend<IQueueBackend, StoreConnection>>
  readonly connection: StoreConnection
  /** A listener on one model's events. */
  listen(model: ModelQueue): QueueEvents<VideoResult, IQueueBackend, StoreConnection>
  /** Claiming workers. */
  closeWorkers(): Promise<void>
  closeQueues(): Promise<void>
}

export interface QueuesOptions {
  readonly store: Store
  readonly models: readonly string[]
  /** Milliseconds. */
  readonly leaseDuration: number
  readonly logger: Logger
}

export async function createQueues({ store, models, leaseDuration, logger }: QueuesOptions): Promise<Queues> {
  const bullmq = withBackend(mended(store.backend))
  const connection: StoreConnection = { store: store.name }
  const onError = (error: Error): void => logger.debug({ error: error.message }, 'queue')

  const all: ModelQueue[] = []
  const producers: QueueEventsProducer<IQueueBackend, StoreConnection>[] = []
  for (const model of models) {
    const name = queueName(model, models)
    const queue: VideoQueue = new bullmq.Queue<VideoData, VideoResult>(name, { connection })
    const worker: VideoWorker = new bullmq.Worker<VideoData, VideoResult, string, VideoProgress>(name, null, {
      connection,
      autorun: false,
      lockDuration: leaseDuration,
      stalledInterval: Math.max(Math.min(leaseDuration / 2, 5000), 250),
      // The claim counts dead leases itself, and ends the job with words of its own.
      maxStalledCount: 1000,
      drainDelay: 5,
    })
    const producer = new bullmq.QueueEventsProducer(name, { connection })
    queue.on('error', onError)
    worker.on('error', onError)
    producer.on('error', onError)
    producers.push(producer)
    all.push({
      model,
      name,
      queue,
      worker,
      announce: (jobId) => producer.publishEvent({ eventName: CHANGED, jobIds: JSON.stringify([jobId]) }, 10_000),
    })
  }
  const deliveries: DeliveryQueue = new bullmq.Queue<DeliveryData, unknown>(DELIVERY_QUEUE, { connection })
  const flow: FlowProducer<IQueueBackend, StoreConnection> = new bullmq.FlowProducer({ connection })
  deliveries.on('error', onError)
  flow.on('error', onError)

  await Promise.all(
    [deliveries, flow, ...all.flatMap(({ queue, worker }) => [queue, worker])].map((one) => one.waitUntilReady()),
  )
  await Promise.all(all.map(({ worker }) => worker.startStalledCheckTimer()))
  const byModel = new Map(all.map((one) => [one.model, one]))

  return {
    models,
    of(model) {
      const found = byModel.get(model)
      if (found) return found
      throw new ApiError('unknown_model', `There is no model "${model}" here. Known: ${models.join(', ')}.`, {
        issues: [{ path: 'model', message: `must be one of ${models.join(', ')}` }],
      })
    },
    find: (name) => all.find((one) => one.name === name),
    all,
    deliveries,
    add: gather<FlowJob, void>({
      async one(job) {
        const alone = job.children ? undefined : all.find(({ name }) => name === job.queueName)
        await (alone ? alone.queue.add(job.name, job.data, job.opts) : flow.add(job))
      },
      async many(jobs) {
        const added = await flow.addBulk([...jobs])
        if (added?.length !== jobs.length) throw new Error('The queue is being closed.')
        return jobs.map(() => undefined)
      },
    }),
    bullmq,
    connection,
    listen({ name }) {
      const events = new bullmq.QueueEvents<VideoResult>(name, { connection, blockingTimeout: 5000 })
      events.on('error', onError)
      return events
    },
    async closeWorkers() {
      await Promise.allSettled(all.map(({ worker }) => worker.close(true)))
    },
    async closeQueues() {
      await Promise.allSettled([...all.map(({ queue }) => queue.close()), ...producers.map((one) => one.close())])
      await Promise.allSettled([deliveries.close(), flow.close()])
    },
  }
}

/**
 * BullMQ's backends without two faults. Bulk adding of flows drops the errors of single jobs, and would call a job added that is not. And closing leaves the wait
 * for a job that a claim began: on Postgres a timer of seconds, which keeps the process.
 */
function mended(
  create: BackendFactory<IQueueBackend, StoreConnection>,
): BackendFactory<IQueueBackend, StoreConnection> {
  return (...parameters) => {
    const backend = create(...parameters)
    const addFlow = backend.addFlow.bind(backend)
    backend.addFlow = async (entries) => {
      const results = await addFlow(entries)
      for (const [error] of results ?? []) if (error) throw error
      return results
    }
    const close = backend.close.bind(backend)
    backend.close = async (force) => {
      await backend.disconnectBlocking(false)
      await close(force)
    }
    return backend
  }
}

/** Whether BullMQ refused because the job is not, or no longer, the caller's. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && error.code < 0
}
