/** What the processes of a benchmark know in common, and say to each other. */

export const API_KEY = 'key-of-the-benchmark'
export const WORKER_TOKEN = 'token-of-the-benchmark'

/** The request that every entrant gets, beside the `upload_id`. */
export const SETTINGS = { prompt: 'the camera moves in slowly', duration: 5, seed: 7 }

/** Milliseconds of a clock that all processes of the machine share. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Asked of an entrant: its processor time, a job made without HTTP, a BullMQ worker that waits, or stops, one job taken. */
export type Question = 'cpu' | 'add' | 'work' | 'stop' | 'claim' | 'close'

/** What an entrant says. Moments are {@link now}'s. */
export type Answer =
  | { readonly ready: string }
  /** Milliseconds of processor time so far, all threads. */
  | { readonly cpu: number }
  /** A job that was made, or taken: when that began and when it was done. */
  | { readonly job: string; readonly from: number; readonly to: number }
  /** A waiting BullMQ worker has got a job. */
  | { readonly started: string; readonly at: number }
  | { readonly done: true }

/** A burst of equal requests, for the client's process. */
export interface Burst {
  readonly origin: string
  readonly path: string
  readonly body: string
  readonly requests: number
  readonly connections: number
}

export interface BurstResult {
  readonly seconds: number
  /** Answers other than 201, by status. */
  readonly refused: Readonly<Record<string, number>>
}
