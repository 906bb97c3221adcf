/** Whether the store answers: asked at most once a second, however many want to know. */
import type { Store } from './store.ts'

const FRESH = 1000

export interface Monitor {
  /** Null when the store answers, else why it does not. Never throws. */
  problem(): Promise<string | null>
}

export function createMonitor(store: Store, clock: () => number): Monitor {
  let asked = -Infinity
  let answer: Promise<string | null> = Promise.resolve(null)
  return {
    problem() {
      if (clock() - asked >= FRESH) {
        asked = clock()
        answer = store.ping().then(
          () => null,
          (error: unknown) => (error instanceof Error ? error.message : String(error)) || 'unreachable',
        )
      }
      return answer
    },
  }
}
