/**
 * How many attempts of a job are used up. An attempt counts once its worker has spoken: an answer that was lost on the way to a worker costs none.
 *
 * BullMQ counts reported failures (`made`) and dead leases (`stalled`), spoken or not. So every claim notes both counts, and how many leases died
 * without a word; what the counts have grown since the note says how its lease ended.
 */
import type { Before, VideoProgress } from './record.ts'

/** Attempts a job has; a worker that dies with it uses one up like one that reports a failure. */
export const ATTEMPTS = 3

/** Claims in a row of which nobody ever heard again: something kills the workers before they can speak. */
export const SILENT_CLAIMS = 10

export interface Attempts {
  readonly used: number
  /** For the next claim's note. */
  readonly before: Before
}

export function attemptsOf(job: {
  readonly made: number
  readonly stalled: number
  readonly progress: VideoProgress | undefined
}): Attempts {
  const { made, stalled, progress } = job
  const died = silentDeaths(job)
  const note = progress?.before
  const silent = (note?.silent ?? 0) + died
  const row = progress?.spoke === false ? (note?.silent_in_row ?? 0) : 0
  return { used: made + stalled - silent, before: { made, stalled, silent, silent_in_row: row + died } }
}

/** Leases that died since the note without a word. */
function silentDeaths({ made, stalled, progress }: Parameters<typeof attemptsOf>[0]): number {
  // Before the note is written nobody can have spoken.
  if (!progress) return stalled
  // Servers before 0.2 counted every dead lease.
  if (!progress.before) return 0
  const died = Math.max(stalled - progress.before.stalled, 0)
  // The one that spoke died of its own; a failure that was reported ended it, and then all the others died without a word.
  const spokenToTheEnd = progress.spoke !== false && made === progress.before.made
  return spokenToTheEnd ? Math.max(died - 1, 0) : died
}
