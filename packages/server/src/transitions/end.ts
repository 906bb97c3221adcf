/**
 * The one way to end a job. The store decides the outcome in one step, and the first one stays; what has to follow is done afterwards, by whoever decided
 * or, where that one died, by anybody ({@link Follow}).
 */
import type { Ending } from '../jobs/ending.ts'
import type { FinalSnapshot } from '../jobs/record.ts'
import { finalOf } from '../jobs/view.ts'
import type { KnownJob, Reader } from '../reading/reader.ts'
import { reach } from '../stores/outage.ts'
import type { JobStates } from '../stores/states.ts'
import type { Follow } from './follow.ts'
import type { EndingTransition, EndOf } from './table.ts'

/** How often an ending that needs no lock looks anew at a job that changes hands under it, before it takes what it has seen last. */
const LOOKS = 5

/** The outcome, and whether it is the one that was asked for: another one may have come first. */
export interface Ended {
  readonly final: FinalSnapshot
  readonly mine: boolean
}

export interface End {
  /**
   * Ends a job for whoever holds it.
   * @param token of the lock
   * @returns null when the lock is somebody else's by now, or the job is gone
   */
  asHolder<Name extends EndingTransition>(
    transition: Name,
    job: KnownJob,
    token: string,
    ending: Ending & { readonly status: EndOf<Name> },
  ): Promise<Ended | null>
  /**
   * Ends a job whoever holds it.
   * @param nobodys only if nobody does
   * @returns null when the job is gone, or is somebody's
   */
  anyway<Name extends EndingTransition>(
    transition: Name,
    job: KnownJob,
    ending: Ending & { readonly status: EndOf<Name> },
    options?: { readonly nobodys?: boolean },
  ): Promise<Ended | null>
}

export function createEnd(parts: {
  readonly states: JobStates
  readonly reader: Reader
  readonly follow: Follow
  readonly clock: () => number
}): End {
  const { states, reader, follow, clock } = parts

  return {
    async asHolder(_transition, { place, entry, live }, token, ending) {
      const final = finalOf(entry, live, ending, clock())
      const decided = await reach(() => states.decide(place, final, { holder: token }))
      if (decided.kind !== 'ended') return null
      await follow.now(entry.record, decided)
      return decided
    },

    async anyway(_transition, job, ending, { nobodys = false } = {}) {
      const { place } = job
      const { record } = job.entry
      let known: KnownJob | null = job
      for (let look = 0; known; look++) {
        const { entry, live }: KnownJob = known
        if (entry.final) return { final: entry.final, mine: false }
        const holder = live?.token ?? null
        if (nobodys && holder !== null) return null
        // What is kept has to be of the job as it ends, and not of a moment before it was claimed or given back.
        const fence = nobodys || look < LOOKS ? { holder } : undefined
        const decided = await reach(() => states.decide(place, finalOf(entry, live, ending, clock()), fence))
        if (decided.kind === 'gone') return null
        if (decided.kind === 'ended') {
          await follow.now(record, decided)
          return decided
        }
        known = (await reader.read([record]))[0] ?? null
      }
      return null
    },
  }
}
