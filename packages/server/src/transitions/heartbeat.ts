/**
 * Heartbeat: a worker says how far it is, and keeps its lease.
 *
 * From `processing`, by the lease's holder. Atomic: the lock is extended and the progress written in one step of the store, which takes many holders' beats
 * at once and looks at each one's token. Then: whoever listens to the job sees it, and the worker hears until when the lease lives, or that the job
 * was canceled.
 */
import type { Heartbeat, HeartbeatRequest } from '@kinora/protocol'
import { leaseLost } from '../leases/lease-book.ts'
import type { TransitionParts } from './parts.ts'
import { hear } from './start.ts'

export function createHeartbeat(parts: TransitionParts) {
  const { leases, reports } = parts

  return async (leaseId: string, { progress, stage, settings, notices }: HeartbeatRequest): Promise<Heartbeat> => {
    const lease = await leases.find(leaseId)
    if (await hear(parts, lease, { progress, stage })) {
      await reports.keep(lease, { settings, notices })
      return { cancel: false, deadline: leases.deadline() }
    }
    const { status } = await leases.ended(lease)
    if (status !== 'canceled') throw leaseLost()
    return { cancel: true, deadline: leases.deadline() }
  }
}
