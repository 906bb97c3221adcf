/**
 * The store: what a backend (Redis, Postgres, embedded PGlite) has to bring so that one implementation of jobs, leases and deliveries runs
 * on it. The queue itself is BullMQ's on all of them; the rest is what BullMQ does not answer.
 */
import type { BackendFactory, IQueueBackend } from 'bullmq'
import type { Logger } from 'pino'
import type { RateLimiterAbstract } from 'rate-limiter-flexible'
import type { History } from './history.ts'
import type { JobStates, LiveJobs } from './states.ts'

export type StoreName = 'redis' | 'postgres' | 'embedded'

/** How to get at a store: what `@kinora/server/redis`, `/postgres` and `/embedded` make. */
export interface StoreDriver {
  readonly name: StoreName
  /**
   * Connects, creates or migrates what is missing, and takes the folder's lock where there is a folder.
   * @throws StoreError saying what is wrong and how to mend it
   */
  open(context: StoreContext): Promise<Store>
}

export interface StoreContext {
  readonly logger: Logger
  /** Seconds a final job stays in the queue: history keeps it at least as long. */
  readonly retention: { readonly completed: number; readonly failed: number }
}

export interface Store {
  readonly name: StoreName
  /** Makes BullMQ's queues, workers, flows and listeners run on this store. What stands in `connection` is ignored: the store brings its own. */
  readonly backend: BackendFactory<IQueueBackend, StoreConnection>
  readonly history: History
  readonly states: JobStates
  /** A counter of a window of time, shared by all processes. Those of one name count the same, whatever their limit. */
  readonly counter: (options: CounterOptions) => RateLimiterAbstract
  /** Answers when the store does, within two seconds. @throws the driver's own error */
  ping(): Promise<void>
  /** Ends the connections, after everything that was made with `backend` has been closed, and gives the folder back. Idempotent. */
  close(): Promise<void>
}

export interface CounterOptions {
  readonly name: string
  /** In one window. */
  readonly points: number
  /** Of a window. */
  readonly seconds: number
}

/** How to get at a history that lives apart from the queue: `postgresHistory` beside Redis. */
export interface HistoryDriver {
  /** @throws StoreError saying what is wrong and how to mend it */
  open(context: StoreContext): Promise<OpenHistory>
}

export interface OpenHistory {
  readonly history: History
  /** How jobs stand, over a queue that lies elsewhere. */
  statesOver(live: LiveJobs): JobStates
  ping(): Promise<void>
  close(): Promise<void>
}

/** Stands in for BullMQ's connection option. */
export type StoreConnection = { readonly store: StoreName }

/** Why a store cannot be opened. */
export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly code: 'driver_missing' | 'folder_locked' | 'unreachable' | 'invalid_option' | 'unsupported'

  constructor(code: StoreError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
