/**
 * Whether what was told can be true of a server that keeps its promises. It knows nothing of the server's insides: only what clients, workers and
 * receivers were told, what lies in the storage at the end, and which attempts were harmed on purpose.
 */
import { isFinal } from '@kinora/protocol'
import type { Sighting, Told } from './told.ts'

/** Attempts of a job that have to be harmed before it may fail. */
const ATTEMPTS = 3

/** @returns one sentence for each broken promise; none when all were kept */
export function check(told: Told): string[] {
  return [
    ...eachKeyIsOneJob(told),
    ...eachJobEndsOnce(told),
    ...nothingRegresses(told),
    ...failuresHaveReasons(told),
    ...webhooksSayTheEnd(told),
    ...noLeaseIsHeldTwice(told),
    ...noObjectWithoutAJob(told),
  ]
}

function eachKeyIsOneJob({ acceptances }: Told): string[] {
  const jobs = groupBy(acceptances, ({ tenant, idempotencyKey }) => `${tenant} ${idempotencyKey}`)
  return [...jobs].flatMap(([key, answers]) => {
    const ids = new Set(answers.map(({ jobId }) => jobId))
    return ids.size > 1 ? [`The idempotency key ${key} made ${ids.size} jobs: ${[...ids].join(', ')}.`] : []
  })
}

function eachJobEndsOnce({ acceptances, sightings, deleted, whole }: Told): string[] {
  const seen = groupBy(sightings, ({ job }) => job.job_id)
  return [...new Set(acceptances.map(({ jobId }) => jobId))].flatMap((jobId) => {
    const ends = (seen.get(jobId) ?? []).filter(({ job }) => isFinal(job.status))
    const kinds = new Set(ends.map(({ job }) => `${job.status} at ${job.completed_at}`))
    if (kinds.size > 1) return [`${jobId} ended more than once: ${[...kinds].join(', then ')}.`]
    if (kinds.size === 0) return deleted.has(jobId) ? [] : [`${jobId} was accepted and never ended.`]
    const completed = ends[0]?.job.status === 'completed'
    return completed && !deleted.has(jobId) && !whole.has(jobId) ? [`${jobId} is completed without a whole video.`] : []
  })
}

function nothingRegresses({ sightings }: Told): string[] {
  const sequences = groupBy(sightings, ({ observer, job }) => `${observer} of ${job.job_id}`)
  return [...sequences].flatMap(([name, unordered]) => {
    const sequence = unordered.toSorted((a, b) => a.began - b.began)
    return sequence.flatMap((later, index) => {
      // An answer counts as earlier only when it had come before the next question was asked.
      const earlier = sequence.slice(0, index).findLast((one) => one.ended <= later.began)
      const fault = earlier && regress(earlier, later)
      return fault ? [`${name}: ${fault}.`] : []
    })
  })
}

function regress({ job: before }: Sighting, { job: after }: Sighting): string | undefined {
  if (isFinal(before.status) && after.status !== before.status) return `${before.status}, then ${after.status}`
  if (after.attempt < before.attempt) return `attempt ${before.attempt}, then attempt ${after.attempt}`
  const goesOn = before.status === 'processing' && after.status === 'processing' && before.attempt === after.attempt
  if (goesOn && (after.progress ?? 0) < (before.progress ?? 0)) {
    return `progress ${before.progress}, then ${after.progress} in attempt ${after.attempt}`
  }
  return undefined
}

function failuresHaveReasons({ sightings, harms }: Told): string[] {
  const failed = new Map(sightings.filter(({ job }) => job.status === 'failed').map(({ job }) => [job.job_id, job]))
  return [...failed].flatMap(([jobId, job]) => {
    const harmed = new Set(harms.filter((harm) => harm.jobId === jobId).map(({ attempt }) => attempt))
    if (harmed.size >= ATTEMPTS) return []
    return [
      `${jobId} failed (${job.error_code}: ${job.error_message}) though only ${harmed.size} of its attempts were harmed.`,
    ]
  })
}

function webhooksSayTheEnd({ acceptances, sightings, messages, refusedMessages, deleted }: Told): string[] {
  const faults = refusedMessages.map((reason) => `A message could not be verified: ${reason}.`)
  const ends = new Map(sightings.filter(({ job }) => isFinal(job.status)).map(({ job }) => [job.job_id, job]))
  const received = groupBy(messages, ({ jobId }) => jobId)
  for (const { jobId, webhook } of acceptances) {
    const about = received.get(jobId) ?? []
    const ids = new Set(about.map(({ webhookId }) => webhookId))
    if (ids.size > 1) faults.push(`${jobId} has ${ids.size} messages: ${[...ids].join(', ')}.`)
    // Who deletes a job takes its message back, unless it was under way.
    if (webhook && about.length === 0 && !deleted.has(jobId)) faults.push(`${jobId} ended and its message never came.`)
    if (!webhook && about.length > 0) faults.push(`${jobId} asked for no message and got one.`)
    const end = ends.get(jobId)
    for (const { type, data } of about) {
      if (data.job_id !== jobId) faults.push(`${jobId}'s message is about ${data.job_id}.`)
      if (
        end === undefined ? type !== `job.${data.status}` : type !== `job.${end.status}` || data.status !== end.status
      ) {
        faults.push(`${jobId} is ${end?.status}, and its message says ${type} with ${data.status}.`)
      }
    }
  }
  return [...new Set(faults)]
}

function noLeaseIsHeldTwice({ leases }: Told): string[] {
  const faults: string[] = []
  for (const [leaseId, holders] of groupBy(leases, (lease) => lease.leaseId)) {
    if (holders.length > 1)
      faults.push(`Lease ${leaseId} was given to ${holders.map(({ worker }) => worker).join(' and ')}.`)
  }
  for (const [jobId, held] of groupBy(leases, (lease) => lease.jobId)) {
    const completions = held.filter(({ outcome }) => outcome?.word === 'complete' && outcome.status === 'completed')
    if (completions.length > 1) faults.push(`${jobId} was completed by ${completions.length} leases.`)
    const attempts = held.map(({ attempt }) => attempt)
    if (Math.max(...attempts) > ATTEMPTS) faults.push(`${jobId} was given out for attempt ${Math.max(...attempts)}.`)
  }
  return faults
}

function noObjectWithoutAJob({ acceptances, deleted, objects, leases }: Told): string[] {
  const jobs = new Set(acceptances.map(({ jobId }) => jobId).filter((jobId) => !deleted.has(jobId)))
  const known = new Map(leases.map(({ leaseId, jobId }) => [leaseId, jobId]))
  return objects.flatMap((key) => {
    const [room, id = ''] = key.split('/')
    if (room === 'inputs' || room === 'outputs')
      return jobs.has(id) ? [] : [`${key} lies in the storage without a job.`]
    // A dead worker's results lie under its lease until the sweeper comes; a lease that nobody was given has none.
    if (room === 'leases' && !known.has(id)) return [`${key} lies in the storage, and nobody was given that lease.`]
    return []
  })
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const name = key(item)
    const group = groups.get(name)
    if (group) group.push(item)
    else groups.set(name, [item])
  }
  return groups
}
