/** Which of the checkpoint's graphs are in memory: one at a time, unless told to keep them. */

import { freemem } from 'node:os'
import { EngineError } from '../failure.ts'
import {
  openSession,
  SessionError,
  type EncodedGraph,
  type Provider,
  type Session,
  type Tensor,
} from '../onnx/index.ts'

export interface SessionCacheOptions {
  readonly provider: Provider
  /** Keeps every graph that was used in memory, for the next job. @default false */
  readonly keepLoaded: boolean
  /** CPU threads. @default ONNX Runtime's own choice */
  readonly threads?: number
  /** Told before a graph is opened. */
  readonly onLoad?: (name: string) => void
  /** Bytes of free memory; for tests. @default the machine's */
  readonly freeMemory?: () => number
}

/** A graph that can be opened when it is needed. */
export interface LoadableGraph {
  readonly graph: EncodedGraph
  /** Bytes of its weights as float32: what they take once copied and inflated. */
  readonly inflatedBytes: number
}

export class SessionCache {
  readonly #options: SessionCacheOptions
  readonly #open = new Map<string, Session>()

  constructor(options: SessionCacheOptions) {
    this.#options = options
  }

  /**
   * Runs a graph, opening it first if it is not open, and closing the others if they are not to be kept.
   * @throws EngineError `out_of_memory` with what to do about it, or `engine_failed`
   */
  async run(
    name: string,
    load: () => LoadableGraph,
    inputs: Readonly<Record<string, Tensor>>,
  ): Promise<Record<string, Tensor>> {
    try {
      const session = this.#open.get(name) ?? (await this.#load(name, load))
      return await session.run(inputs)
    } catch (error) {
      if (error instanceof SessionError) throw explained(error, name)
      throw error
    }
  }

  /** Frees all graphs. */
  async close(): Promise<void> {
    const sessions = [...this.#open.values()]
    this.#open.clear()
    for (const session of sessions) await session.close()
  }

  async #load(name: string, load: () => LoadableGraph): Promise<Session> {
    if (!this.#options.keepLoaded) await this.close()
    const { graph, inflatedBytes } = load()
    const { provider, threads, onLoad, freeMemory = availableMemory } = this.#options
    onLoad?.(name)
    const session = await openSession(graph, {
      provider,
      weightsStayInFiles: staysInFiles(inflatedBytes, freeMemory()),
      ...(threads !== undefined && { threads }),
    })
    this.#open.set(name, session)
    return session
  }
}

/**
 * Whether weights are better read from their files: copying them is faster to run, but needs them once over while they are rearranged.
 * @param inflatedBytes of the weights as float32
 * @param freeBytes of memory
 */
export function staysInFiles(inflatedBytes: number, freeBytes: number): boolean {
  return inflatedBytes * 2 > freeBytes
}

/** Bytes that can still be had, container limits included. */
function availableMemory(): number {
  return typeof process.availableMemory === 'function' ? process.availableMemory() : freemem()
}

function explained(error: SessionError, name: string): EngineError {
  if (error.outOfMemory) {
    return new EngineError(
      'out_of_memory',
      `Memory ran out in ${name}. Ask for a smaller video (width, height or duration), or start the worker with a smaller precision (PRECISION=int8 on CPU, bf16 or fp16 on CUDA) and without keepLoaded.`,
      { cause: error },
    )
  }
  return new EngineError('engine_failed', error.message, { cause: error })
}
