/** Ids of jobs, and when two requests are the same. */
import { createHash, randomBytes } from 'node:crypto'
import { isAtStart } from '@kinora/protocol'
import type { AcceptRequest, PlacedSource } from './request.ts'

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
export function requestHash({ image, others = [], request }: AcceptRequest, model: string): string {
  const further = others.length === 0 ? {} : { images: others.map((other) => sorted(named(other))) }
  return createHash('sha256')
    .update(JSON.stringify(sorted({ ...request, ...named(image), ...further, model })))
    .digest('base64url')
}

/** A picture, as far as it makes a difference. */
function named(source: PlacedSource): Readonly<Record<string, unknown>> {
  const { place, strength } = source
  const picture =
    'image_url' in source
      ? { image_url: source.image_url }
      : source.digest === undefined
        ? { upload_id: source.upload_id }
        : { digest: source.digest }
  const placed = place && !isAtStart(place) ? { place: sorted({ ...place }) } : {}
  return { ...picture, ...placed, ...(strength === 1 ? {} : { strength }) }
}

function sorted(fields: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
}
