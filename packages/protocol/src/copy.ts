/** `POST /api/v1/jobs/:id/copy`: the server sends a finished video to a storage of the caller's, so that its bytes pass through nobody else. */
import * as z from 'zod/mini'
import { HttpUrl } from './http-url.ts'

export const CopyRequest = z.object({
  /** Where the bytes are to go: a URL that takes them without further authorisation, such as a presigned PUT or Convex's upload URL. */
  upload_url: HttpUrl,
  method: z._default(z.enum(['POST', 'PUT']), 'POST'),
  /** Bytes of the largest video that is wanted; a larger one is refused with 413 before anything is sent. */
  max_bytes: z.optional(z.int().check(z.minimum(1))),
})
export type CopyRequest = z.input<typeof CopyRequest>

/** How the other storage took it. */
export const CopyResult = z.object({
  /** Of its answer, 200..299. */
  status: z.int(),
  /** Its answer, as text of at most 64 kB: Convex tells the `storageId` there. */
  body: z.string(),
  /** Bytes that were sent. */
  size: z.int(),
})
export type CopyResult = z.output<typeof CopyResult>
