/** What the holder of a lease says about the video: the settings it uses, and what it left aside. */
import type { LeaseRecord, WorkerReport } from '../jobs/record.ts'
import type { Queues } from '../queues.ts'
import { remember } from '../remember.ts'
import type { Reader } from '../reading/reader.ts'
import type { History } from '../stores/history.ts'
import { reach } from '../stores/outage.ts'

/** Leases whose last report is at hand: most heartbeats say nothing new. */
const CACHED = 10_000

export type Told = Pick<WorkerReport, 'settings' | 'notices'>

export interface Reports {
  /** Keeps what is new. Each part replaces what was said before; one that is not given stays. */
  keep(lease: LeaseRecord, told: Told): Promise<void>
}

export function createReports(parts: {
  readonly history: History
  readonly queues: Queues
  readonly reader: Reader
}): Reports {
  const { history, queues, reader } = parts
  const last = new Map<string, WorkerReport>()

  return {
    async keep(lease, told) {
      if (told.settings === undefined && told.notices === undefined) return
      const { lease_id: leaseId, job_id: jobId, model } = lease
      const before = last.get(leaseId) ?? (await lastOf(lease))
      const next = joinReports(before, leaseId, told)
      if (JSON.stringify(next) === JSON.stringify(before)) return
      await reach(() => history.report(jobId, next))
      remember(last, leaseId, next, CACHED)
      await queues
        .of(model)
        .announce(jobId)
        .catch(() => undefined)
    },
  }

  /** Another process may have heard the reports before. */
  async function lastOf({ lease_id: leaseId, job_id: jobId }: LeaseRecord): Promise<WorkerReport | undefined> {
    const { report } = (await reader.known(jobId)).entry
    return report?.lease_id === leaseId ? report : undefined
  }
}

export function joinReports(before: WorkerReport | undefined, leaseId: string, told: Told): WorkerReport {
  const kept = before?.lease_id === leaseId ? before : undefined
  const settings = told.settings ?? kept?.settings
  const notices = told.notices ?? kept?.notices
  return {
    lease_id: leaseId,
    ...(settings === undefined ? {} : { settings }),
    ...(notices === undefined ? {} : { notices }),
  }
}
