/** Uploads: pictures put into storage before a job names them, and the original contract's presigned URLs. */
import * as z from 'zod/mini'
import { Id } from './id.ts'
import { IMAGE_CONTENT_TYPES, MAX_IMAGE_BYTES } from './limits.ts'

const contentType = z.enum(IMAGE_CONTENT_TYPES, { error: `must be one of ${IMAGE_CONTENT_TYPES.join(', ')}` })

/** `POST /api/v1/uploads`. */
export const UploadRequest = z.object({
  content_type: z._default(contentType, 'image/jpeg'),
  /** Bytes that will be put, where known; the signed URL then accepts exactly that many. */
  content_length: z.optional(z.int().check(z.minimum(1), z.maximum(MAX_IMAGE_BYTES))),
})
export type UploadRequest = z.input<typeof UploadRequest>

/** A place for one picture: PUT the bytes to `upload_url` with exactly `headers`, then name `upload_id` in a job. */
export const Upload = z.object({
  upload_id: Id,
  upload_url: z.url(),
  method: z.literal('PUT'),
  headers: z.record(z.string(), z.string()),
  /** Seconds until `upload_url` stops working. */
  expires_in: z.int(),
})
export type Upload = z.output<typeof Upload>

/** `POST /api/v1/presign/upload`: as an upload, with an id of the caller's choice. */
export const PresignUploadRequest = z.object({ job_id: Id, content_type: z._default(contentType, 'image/jpeg') })
export type PresignUploadRequest = z.input<typeof PresignUploadRequest>

export const PresignUpload = z.object({ upload_url: z.url(), expires_in: z.int() })
export type PresignUpload = z.output<typeof PresignUpload>

/** `GET /api/v1/presign/download/:jobId`. */
export const PresignDownload = z.object({ download_url: z.url(), expires_in: z.int() })
export type PresignDownload = z.output<typeof PresignDownload>
