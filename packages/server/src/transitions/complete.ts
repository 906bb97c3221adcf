/**
 * Complete: a worker's video becomes the job's.
 *
 * From `processing`, by the lease's holder. Atomic: the holder's lock is extended, the video is moved to the job's key while nobody else can have the
 * job, and the outcome is set with the lock's token, so that a late worker overwrites nothing. What is no video costs an attempt. Then: the tenant is told;
 * where the job has ended otherwise or gone meanwhile, the video goes as well.
 */
import type { CompleteRequest, LeaseEnd } from '@kinora/protocol'
import { storageUnavailable } from '../inputs/index.ts'
import { joinReports } from '../leases/reports.ts'
import { dropOutputs, dropResults, promoteResults, ResultError } from '../leases/results.ts'
import { ifThere, type KnownJob } from '../reading/reader.ts'
import { StorageError } from '../storage/index.ts'
import { failAttempt } from './fail.ts'
import type { TransitionParts } from './parts.ts'
import { hear } from './start.ts'

export function createComplete(parts: TransitionParts) {
  const { storage, reader, leases, end, logger } = parts

  return async (leaseId: string, told: CompleteRequest): Promise<LeaseEnd> => {
    const lease = await leases.find(leaseId)
    const { job_id: jobId } = lease
    if (!(await hear(parts, lease))) {
      dropResults(storage, leaseId, logger)
      return leases.ended(lease)
    }
    const stopKeeping = leases.keep(lease)
    try {
      const result = await promoteResults(storage, jobId, leaseId)
      const job = await ifThere(reader.known(jobId))
      const ended = job && (await end.asHolder('complete', withReport(job), leaseId, { status: 'completed', result }))
      if (ended?.mine) return { job_id: jobId, status: 'completed' }
      await sweep(jobId)
      return await leases.ended(lease)
    } catch (error) {
      if (error instanceof StorageError && error.retryable) throw storageUnavailable(error)
      if (!(error instanceof ResultError)) throw error
      return await failAttempt(parts, lease, { code: 'result_invalid', message: error.message, retryable: true })
    } finally {
      stopKeeping()
    }

    function withReport(job: KnownJob): KnownJob {
      const report = joinReports(job.entry.report, leaseId, told)
      return { ...job, entry: { ...job.entry, report } }
    }
  }

  /** The job was canceled or deleted while the video was moved. One that is open still, or completed, has another holder, whose video it may be. */
  async function sweep(jobId: string): Promise<void> {
    const job = await ifThere(reader.known(jobId))
    const status = job?.entry.final?.job.status
    if (!job || (status !== undefined && status !== 'completed')) await dropOutputs(storage, jobId)
  }
}
