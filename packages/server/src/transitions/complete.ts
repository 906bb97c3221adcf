/**
 * Complete: a worker's video becomes the job's.
 *
 * From `processing`, by the lease's holder. Atomic: the video is moved to the job's key while the lock is kept, and the job ends with the lock's token, so
 * that a late worker overwrites nothing. What is no video costs an attempt. Then: the tenant is told.
 */
import type { CompleteRequest, LeaseEnd } from '@kinora/protocol'
import { storageUnavailable } from '../inputs/index.ts'
import { asHolder, leaseLost } from '../leases/lease-book.ts'
import { dropResults, promoteResults, ResultError } from '../leases/results.ts'
import { StorageError } from '../storage/index.ts'
import { failAttempt } from './fail.ts'
import { reported } from './report-settings.ts'
import type { TransitionParts } from './parts.ts'

export function createComplete(parts: TransitionParts) {
  const { storage, leases, end, logger } = parts

  return async (leaseId: string, report: CompleteRequest): Promise<LeaseEnd> => {
    const found = await leases.find(leaseId)
    if ('ended' in found) return found.ended
    const { bull, told } = found
    const jobId = bull.id ?? ''
    const locked = { bull, token: leaseId }
    if (bull.data.canceled_at !== undefined) {
      dropResults(storage, leaseId, logger)
      const view = await end.asHolder('cancel', locked, { status: 'canceled' })
      if (!view) throw leaseLost()
      return { job_id: jobId, status: view.job.status }
    }
    const last = reported(report)
    if (Object.keys(last).length > 0) await asHolder(() => bull.updateProgress({ ...told, ...last }))
    const stopKeeping = leases.keep(bull, leaseId)
    try {
      const result = await promoteResults(storage, jobId, leaseId)
      const view = await end.asHolder('complete', locked, { status: 'completed', result })
      if (!view) throw leaseLost()
      return { job_id: jobId, status: view.job.status }
    } catch (error) {
      if (error instanceof StorageError && error.retryable) throw storageUnavailable(error)
      if (!(error instanceof ResultError)) throw error
      return await failAttempt(parts, locked, { code: 'result_invalid', message: error.message, retryable: true })
    } finally {
      stopKeeping()
    }
  }
}
