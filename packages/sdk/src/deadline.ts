/** Waiting that can be aborted: by the caller's signal, or by a time limit. */

export interface Deadline {
  /** Aborted by the caller's signal, with its reason, or when the time is over. */
  readonly signal: AbortSignal
  /** Whether it was the time, and not the caller. */
  timedOut(): boolean
  /** Milliseconds left; Infinity without a limit. */
  remaining(): number
  /** Stops the clock, but still follows the caller's signal: for a body that is read after its headers came. */
  stopClock(): void
  /** Lets go of clock and caller's signal. */
  release(): void
}

/** @param milliseconds Infinity for no limit */
export function startDeadline(signal: AbortSignal | undefined, milliseconds: number): Deadline {
  const controller = new AbortController()
  const end = Date.now() + milliseconds
  let over = false
  const abort = (): void => controller.abort(signal?.reason)
  if (signal?.aborted) abort()
  else signal?.addEventListener('abort', abort, { once: true })
  const timer = Number.isFinite(milliseconds)
    ? setTimeout(() => {
        over = true
        controller.abort(new DOMException('The time is over.', 'TimeoutError'))
      }, milliseconds)
    : undefined
  return {
    signal: controller.signal,
    timedOut: () => over,
    remaining: () => end - Date.now(),
    stopClock: () => clearTimeout(timer),
    release() {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    },
  }
}

/** Resolves after so many milliseconds; rejects with the signal's reason as soon as it is aborted. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const abort = (): void => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, milliseconds)
    signal?.addEventListener('abort', abort, { once: true })
  })
}
