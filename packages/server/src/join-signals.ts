import { setMaxListeners } from 'node:events'

/** One signal from several, that lets go of them. `AbortSignal.any` on Node 20 leaves something behind on a signal that lives as long as the process. */
export interface JoinedSignal {
  readonly signal: AbortSignal
  /** To be called when the work is over. */
  readonly release: () => void
}

/** Aborts with the reason of the first of the signals that does. */
export function joinSignals(signals: readonly AbortSignal[]): JoinedSignal {
  const controller = new AbortController()
  const release = (): void => {
    for (const signal of signals) signal.removeEventListener('abort', abort)
  }
  function abort(this: AbortSignal): void {
    release()
    controller.abort(this.reason)
  }
  for (const signal of signals) {
    if (signal.aborted) {
      release()
      controller.abort(signal.reason)
      break
    }
    // Thousands may wait for one signal, and all of them leave again: no reason to warn of a leak at the eleventh.
    setMaxListeners(0, signal)
    signal.addEventListener('abort', abort, { once: true })
  }
  return { signal: controller.signal, release }
}
