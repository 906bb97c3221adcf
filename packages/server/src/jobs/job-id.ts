/** Ids of jobs, and when two requests are the same. */
import { createHash, randomBytes } from 'node:crypto'
import type { AcceptRequest } from './request.ts'

/** A new job's id. With an idempotency key it follows from tenant and key, so that adding twice is one job by construction. */
export function jobIdFor(tenant: string, idempotencyKey: string | undefined): string {
  const bytes =
    idempotencyKey === undefined
      ? randomBytes(16)
      : createHash('sha256')
          .update(JSON.stringify([tenant, idempotencyKey]))
          .digest()
          .subarray(0, 16)
  return `job_${bytes.toString('hex')}`
}

/** The same for requests that ask for the same thing, whatever the order of their fields. A picture that came along counts by its bytes. */
export function requestHash({ image, request }: AcceptRequest, model: string): string {
  const source = 'upload_id' in image && image.digest !== undefined ? { digest: image.digest } : image
  const fields = Object.entries({ ...request, ...source, model })
    .filter(([, value]) => value !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
  return createHash('sha256').update(JSON.stringify(fields)).digest('base64url')
}
