/**
 * Heartbeat: a worker says how far it is, and keeps its lease.
 *
 * From `processing`, by the lease's holder. Atomic: BullMQ extends the lock only for its token, and only then is the progress written. Then: whoever
 * listens to the job sees it, and the worker hears until when the lease lives, or that the job was canceled.
 */
import type { Heartbeat, HeartbeatRequest } from '@kinora/protocol'
import type { VideoProgress } from '../jobs/video-job.ts'
import { asHolder, leaseLost } from '../leases/lease-book.ts'
import { reported } from './report-settings.ts'
import type { TransitionParts } from './parts.ts'

export function createHeartbeat({ leases }: TransitionParts) {
  return async (leaseId: string, { progress, stage, settings, notices }: HeartbeatRequest): Promise<Heartbeat> => {
    const found = await leases.find(leaseId)
    if ('ended' in found) {
      if (found.ended.status === 'canceled') return { cancel: true, deadline: leases.deadline() }
      throw leaseLost()
    }
    const { bull, told } = found
    if (bull.data.canceled_at !== undefined) return { cancel: true, deadline: leases.deadline() }
    const next: VideoProgress = { ...told, progress, stage, ...reported({ settings, notices }) }
    if (JSON.stringify(next) !== JSON.stringify(told)) await asHolder(() => bull.updateProgress({ ...next }))
    return { cancel: false, deadline: leases.deadline() }
  }
}
