/** Waiting between tries: longer each time, never in step with other workers. */

import { setTimeout as sleep } from 'node:timers/promises'

export interface Backoff {
  /** Milliseconds before the second try. @default 500 */
  readonly first?: number
  /** Milliseconds at most. @default 30000 */
  readonly most?: number
  /** 0..1. @default Math.random */
  readonly random?: () => number
}

/** Milliseconds before try `number` (2 is the first retry): doubling, between half and the whole of it. */
export function backoffDelay(number: number, options: Backoff = {}): number {
  const { first = 500, most = 30_000, random = Math.random } = options
  const full = Math.min(first * 2 ** (number - 2), most)
  return full / 2 + (full / 2) * random()
}

export interface RetryOptions extends Backoff {
  readonly signal: AbortSignal
  /** Others end the tries. */
  readonly retryable: (error: unknown) => boolean
  /** Milliseconds the other side asks to wait, if it does. */
  readonly askedFor?: (error: unknown) => number | undefined
  /** Milliseconds in all after which the last error is thrown. @default Infinity */
  readonly giveUpAfter?: number
  readonly onRetry?: (error: unknown, delay: number) => void
}

/** Tries until it works. @throws the last error; the signal's reason */
export async function retry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const { signal, giveUpAfter = Infinity } = options
  const start = performance.now()
  for (let number = 2; ; number++) {
    signal.throwIfAborted()
    try {
      return await attempt()
    } catch (error) {
      signal.throwIfAborted()
      const delay = Math.max(backoffDelay(number, options), options.askedFor?.(error) ?? 0)
      if (!options.retryable(error) || performance.now() - start + delay > giveUpAfter) throw error
      options.onRetry?.(error, delay)
      await pause(delay, signal)
    }
  }
}

/** Sleeps, and wakes at once when the signal is aborted. @throws the signal's reason */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal }).catch(() => signal.throwIfAborted())
}
