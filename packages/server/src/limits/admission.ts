/**
 * Who may be in the line of workers: as many jobs of a tenant as may run at a time. The others wait outside, `queued`, in the order in which they came; what
 * is in the line stands in the store, so that it is the same for all processes and after a crash.
 */
import type { Logger } from 'pino'
import type { JobRecord } from '../jobs/record.ts'
import { createRepeating } from '../repeating.ts'
import type { History } from '../stores/history.ts'
import { reach } from '../stores/outage.ts'
import type { AllowedBook } from './allowed.ts'

/** Milliseconds between two looks at tenants whose jobs wait: a process may have died between the end of a job and the next one's turn. */
const EVERY = 2000

export interface Admission<Job extends JobRecord> {
  /** Puts a job into the line of workers now, or when it is its turn. Repeating it changes nothing. */
  readonly line: (job: Job, priority: number) => Promise<void>
  /** A job of the tenant has ended: whose turn is it? Never throws. */
  ended(tenant: string): void
  /** Looks for turns that nobody has given, from now on. */
  start(): void
  close(): void
}

export interface AdmissionOptions<Job extends JobRecord> {
  readonly allowed: AllowedBook
  readonly history: Pick<History, 'admit' | 'heldTenants' | 'get'>
  /** Puts a job into the line of workers. */
  readonly line: (job: Job, priority: number) => Promise<void>
  readonly isReady: (record: JobRecord) => record is Job
  readonly logger: Logger
}

export function createAdmission<Job extends JobRecord>(options: AdmissionOptions<Job>): Admission<Job> {
  const { allowed, history, line, isReady, logger } = options

  async function admit(tenant: string, atMost: number, asked?: { job: Job; priority: number }): Promise<void> {
    const admitted = await reach(() => history.admit(tenant, atMost, asked?.job.job_id))
    await Promise.all(
      admitted.map(async ({ job_id: jobId, priority }) => {
        if (asked?.job.job_id === jobId) return line(asked.job, asked.priority)
        const entry = await reach(() => history.get(jobId))
        if (entry && !entry.final && isReady(entry.record)) await line(entry.record, priority)
      }),
    )
  }

  function quietly(work: Promise<void>): Promise<void> {
    return work.catch((error: unknown) =>
      logger.warn({ err: error }, 'jobs that wait for their turn wait a little longer'),
    )
  }

  async function look(): Promise<void> {
    for (const tenant of await reach(() => history.heldTenants())) {
      await admit(tenant, (await allowed.of(tenant)).running)
    }
  }

  const looks = createRepeating(look, EVERY, () => undefined)

  return {
    start: looks.start,
    async line(job, priority) {
      const { running } = await allowed.of(job.tenant)
      await (running === 0 ? line(job, priority) : admit(job.tenant, running, { job, priority }))
    },
    ended(tenant) {
      void quietly(
        (async () => {
          const { running } = await allowed.of(tenant)
          if (running > 0) await admit(tenant, running)
        })(),
      )
    },
    close: looks.close,
  }
}
