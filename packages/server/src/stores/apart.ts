/**
 * A queue and a history that lie in different places: Redis, and Postgres for the history. No statement spans both, so a holder's outcome is fenced by
 * extending the lock just before: nobody else can have the job for a lease's length, and then the outcome is set once as everywhere.
 */
import type { History } from './history.ts'
import type { createSqlOutcomes } from './sql/states.ts'
import type { Fence, JobPlace, JobState, JobStates, LiveJobs } from './states.ts'

/** Milliseconds that a lock is extended by before its holder's outcome is set: more than the step takes, and no more than a lease. */
const FENCE = 10_000

export function createStatesApart(
  live: LiveJobs,
  outcomes: ReturnType<typeof createSqlOutcomes>,
  history: History,
): JobStates {
  async function read(places: readonly JobPlace[]): Promise<readonly (JobState | null)[]> {
    const before = await outcomes.read(places)
    const states = await live.read(places)
    // A job that has ended or gone in BullMQ may have got its outcome between the two reads.
    const doubtful = places.filter((_, at) => before[at] && !before[at].final && (!states[at] || states[at].ended))
    const after = doubtful.length === 0 ? [] : await outcomes.read(doubtful)
    return places.map((place, at) => {
      const again = doubtful.indexOf(place)
      const outcome = again < 0 ? before[at] : after[again]
      return outcome ? { ...outcome, live: outcome.final ? null : (states[at] ?? null) } : null
    })
  }

  /** A holder keeps the job to the end of this step; that nobody holds it can only be looked at. */
  async function holds({ queue, job_id }: JobPlace, { holder }: Fence, state: JobState): Promise<boolean> {
    if (holder === null) return !state.live?.token
    const [kept = false] = await live.beat(queue, [{ job_id, token: holder }], FENCE)
    return kept
  }

  return {
    read,
    holder: live.holder,
    beat: live.beat,
    now: outcomes.now,
    unfollowed: outcomes.unfollowed,
    followed: outcomes.followed,

    async decide(place, final, fence) {
      const [state] = await read([place])
      if (!state) return { kind: 'gone' }
      if (!state.final && fence && !(await holds(place, fence, state))) return { kind: 'refused' }
      const decided = await outcomes.decide(place.job_id, final)
      if (!decided) return { kind: 'gone' }
      if (decided.mine) await live.announce(place)
      return { ...decided, holder: await live.holder(place) }
    },

    async take({ place, lease, progress, priority, leaseDuration }) {
      const [state] = await read([place])
      if (!state || state.final) return false
      await history.putLease(lease)
      const beat = { job_id: place.job_id, token: lease.lease_id, progress }
      const [taken] = await live.beat(place.queue, [beat], leaseDuration)
      if (taken) await history.claimed(lease.model, priority)
      return taken === true
    },
  }
}
