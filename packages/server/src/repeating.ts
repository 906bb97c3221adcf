/** Work that is done again and again in the background, one round after the other. */

export interface Repeating {
  readonly start: () => void
  /** No round begins from now on. */
  readonly close: () => void
}

/**
 * @param every milliseconds between the end of a round and the next one
 * @param failed hears of a round that came to nothing; the next one tries again
 */
export function createRepeating(
  round: () => Promise<void>,
  every: number,
  failed: (error: unknown) => void,
): Repeating {
  let timer: NodeJS.Timeout | undefined
  let closed = false

  function soon(): void {
    if (closed) return
    timer = setTimeout(() => void round().catch(failed).finally(soon), every)
    timer.unref()
  }

  return {
    start: soon,
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}
