/** Values pushed from one side and iterated from the other. A slow reader of snapshots gets the newest of each job, not all that were. */
import type { Snapshot } from '../jobs/request.ts'

export interface Channel<T> extends AsyncIterable<T> {
  push(value: T): void
  /** What was pushed before is still read. */
  end(): void
}

export function createChannel<T extends Snapshot>(signal?: AbortSignal): Channel<T> {
  const queue = new Map<string, T>()
  let ended = signal?.aborted ?? false
  let wake: (() => void) | undefined

  function end(): void {
    ended = true
    signal?.removeEventListener('abort', abort)
    wake?.()
  }
  function abort(): void {
    queue.clear()
    end()
  }
  signal?.addEventListener('abort', abort, { once: true })

  return {
    push(value) {
      if (ended) return
      // A newer snapshot of the same job takes the older one's place, at the end of the line.
      queue.delete(value.job.job_id)
      queue.set(value.job.job_id, value)
      wake?.()
    },
    end,
    async *[Symbol.asyncIterator]() {
      for (;;) {
        for (const [key, value] of queue) {
          queue.delete(key)
          yield value
          break
        }
        if (queue.size > 0) continue
        if (ended) return
        await new Promise<void>((resolve) => {
          wake = resolve
        })
        wake = undefined
      }
    },
  }
}
