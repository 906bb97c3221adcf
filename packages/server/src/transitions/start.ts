/**
 * Start: the first word of a lease's holder.
 *
 * From `processing`, by the holder, with whatever it says first: a heartbeat, complete or fail. Atomic: that it has spoken is written in the step that finds
 * the holder's token in the lock. Then: the attempt counts. A claim whose answer is lost costs none, and release is no word.
 */
import type { LeaseRecord } from '../jobs/record.ts'
import type { Said } from '../leases/lease-book.ts'
import type { TransitionParts } from './parts.ts'

/** Hears a word of the holder's, the first one or another. @returns false when the lease is not the lock's any more */
export function hear({ leases }: TransitionParts, lease: LeaseRecord, said?: Said): Promise<boolean> {
  return leases.beat(lease, said)
}
