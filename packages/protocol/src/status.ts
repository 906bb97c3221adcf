/** A job's statuses. Apart from the schemas, so that a client that only asks whether a job has ended carries no zod. */

export const JOB_STATUSES = ['queued', 'processing', 'completed', 'failed', 'canceled'] as const
export type JobStatus = (typeof JOB_STATUSES)[number]

/** The statuses that are final and never change. */
export const FINAL_STATUSES = ['completed', 'failed', 'canceled'] as const satisfies readonly JobStatus[]
export type FinalStatus = (typeof FINAL_STATUSES)[number]

/** Whether a status is final: no event, and no second result, comes after it. */
export function isFinal(status: JobStatus): status is FinalStatus {
  return (FINAL_STATUSES as readonly JobStatus[]).includes(status)
}
