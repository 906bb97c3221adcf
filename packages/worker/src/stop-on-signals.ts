/** For commands that run a worker: SIGTERM and SIGINT give the job back and end the worker; a second one ends the process at once. */

import type { Worker } from './worker.ts'

/** @returns a function that takes the listeners away again */
export function stopOnSignals(worker: Pick<Worker, 'stop'>, process: NodeJS.Process = globalThis.process): () => void {
  let asked = false
  const stop = (signal: NodeJS.Signals) => {
    if (asked) process.exit(signal === 'SIGINT' ? 130 : 143)
    asked = true
    worker.stop()
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  return () => {
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}
