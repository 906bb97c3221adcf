/** The fetches that are on their way in this process, and how they are ended before their time. */

export interface Flight {
  readonly signal: AbortSignal
  /** Why it was ended: nobody wants the job any more, or this process closes. */
  readonly ended: FlightEnd | undefined
  /** It has come to its end. */
  land(): void
}

export type FlightEnd = 'unwanted' | 'closing'

export interface Flights {
  begin(jobId: string): Flight
  /** Ends the fetch of a job that nobody wants any more. */
  abort(jobId: string): void
  /** Ends them all: their jobs are taken up by another process, or by this one when it is back. */
  close(): void
}

/** Milliseconds between two looks at whether the jobs are still wanted: they may be canceled through any process. */
const LOOK_EVERY = 1000

export function createFlights(isWanted: (jobId: string) => Promise<boolean>): Flights {
  const open = new Map<Flight, { readonly jobId: string; readonly end: (why: FlightEnd) => void }>()
  let looking: NodeJS.Timeout | undefined
  let closed = false

  async function look(): Promise<void> {
    await Promise.all(
      [...open.values()].map(async ({ jobId, end }) => {
        // While the store is away nothing is known: the next look tells.
        if (!(await isWanted(jobId).catch(() => true))) end('unwanted')
      }),
    )
    looking = undefined
    lookSoon()
  }

  function lookSoon(): void {
    if (looking || closed || open.size === 0) return
    looking = setTimeout(() => void look(), LOOK_EVERY)
    looking.unref()
  }

  return {
    begin(jobId) {
      const controller = new AbortController()
      let ended: FlightEnd | undefined
      const flight: Flight = {
        signal: controller.signal,
        get ended() {
          return ended
        },
        land: () => void open.delete(flight),
      }
      const end = (why: FlightEnd): void => {
        ended ??= why
        controller.abort(new Error(why === 'closing' ? 'The server is closing.' : 'Nobody wants the job any more.'))
      }
      open.set(flight, { jobId, end })
      if (closed) end('closing')
      lookSoon()
      return flight
    },
    abort(jobId) {
      for (const flight of open.values()) if (flight.jobId === jobId) flight.end('unwanted')
    },
    close() {
      closed = true
      clearTimeout(looking)
      for (const { end } of open.values()) end('closing')
    },
  }
}
