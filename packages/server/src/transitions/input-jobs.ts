/** What the inputs ask of jobs, and tell of them. */
import type { InputError, InputJobs } from '../inputs/index.ts'
import type { History } from '../stores/history.ts'
import { reach } from '../stores/outage.ts'
import { isReady, type ReadyJob } from './line.ts'

export interface InputJobsOptions {
  readonly history: History
  readonly line: (job: ReadyJob, priority: number) => Promise<void>
  readonly refuse: (jobId: string, error: InputError) => Promise<void>
}

export function createInputJobs({ history, line, refuse }: InputJobsOptions): InputJobs<ReadyJob> {
  return {
    async waiting(jobId) {
      const entry = await reach(() => history.get(jobId))
      return entry && !entry.final && isReady(entry.record) ? entry.record : null
    },
    async isKept(jobId) {
      const entry = await reach(() => history.get(jobId))
      return entry !== null && entry.final?.job.status !== 'canceled'
    },
    line,
    refuse,
  }
}
