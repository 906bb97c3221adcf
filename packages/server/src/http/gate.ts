/** Counts the requests inside and shuts the door when the server closes. */
export interface Gate {
  /** Whether new requests are refused. */
  readonly closing: boolean
  /** Aborts when the server closes: streams and waits end with it. */
  readonly signal: AbortSignal
  /** Counts a request in. @returns what counts it out */
  enter(): () => void
  /** Shuts the door, and answers when all are out or the time is up. */
  close(milliseconds: number): Promise<void>
}

export function createGate(): Gate {
  const controller = new AbortController()
  let inside = 0
  let empty: (() => void) | undefined

  return {
    signal: controller.signal,
    get closing() {
      return controller.signal.aborted
    },
    enter() {
      inside++
      let left = false
      return () => {
        if (left) return
        left = true
        inside--
        if (inside === 0) empty?.()
      }
    },
    async close(milliseconds) {
      controller.abort(new Error('The server is shutting down.'))
      if (inside === 0) return
      let timer: NodeJS.Timeout | undefined
      await Promise.race([
        new Promise<void>((resolve) => (empty = resolve)),
        new Promise<void>((resolve) => (timer = setTimeout(resolve, milliseconds))),
      ])
      clearTimeout(timer)
    },
  }
}
