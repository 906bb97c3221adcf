/**
 * Retry: a failed attempt that is not the last.
 *
 * From `processing`, by the lease's holder. Atomic: BullMQ takes the job from the token's holder and counts the attempt in one step. Then: it waits
 * for a moment that grows with each attempt, and goes to the next worker.
 */
import { failureText } from '../jobs/video-job.ts'
import { asHolder } from '../leases/lease-book.ts'
import type { Locked } from './end.ts'

/** @throws ApiError `lease_lost` */
export async function retry(
  { bull, token }: Locked,
  { code, message }: { code: string; message: string },
): Promise<void> {
  await asHolder(() => bull.moveToFailed(new Error(failureText(code, message)), token, false))
}
