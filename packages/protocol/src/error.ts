/** The body of every answer that is not 2xx, and the codes in it. */
import * as z from 'zod/mini'

/** Codes of requests that were refused, with the HTTP status each comes with. `error` is for people, `code` for programs. */
export const ERROR_STATUS = {
  invalid_request: 400,
  unknown_model: 400,
  upload_not_found: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  job_not_found: 404,
  method_not_allowed: 405,
  job_not_finished: 409,
  job_not_completed: 409,
  lease_lost: 409,
  upload_conflict: 409,
  video_gone: 410,
  payload_too_large: 413,
  unsupported_media_type: 415,
  idempotency_mismatch: 422,
  rate_limited: 429,
  too_many_jobs: 429,
  too_many_requests: 429,
  too_many_bytes: 429,
  internal_error: 500,
  copy_failed: 502,
  queue_full: 503,
  queue_unavailable: 503,
  storage_unavailable: 503,
  shutting_down: 503,
} as const satisfies Record<string, number>

export type ErrorCode = keyof typeof ERROR_STATUS

/** Codes in `error_code` of a job that failed. Engines may add their own, so treat an unknown one as `engine_error`. */
export const JOB_ERROR_CODES = [
  'canceled',
  'image_unreachable',
  'image_forbidden_address',
  'image_too_large',
  'image_invalid',
  'image_missing',
  'engine_error',
  'invalid_settings',
  'out_of_memory',
  'worker_crashed',
  'worker_hung',
  'worker_lost',
  'encode_failed',
  'upload_failed',
  'result_invalid',
  'internal_error',
] as const
export type JobErrorCode = (typeof JOB_ERROR_CODES)[number]

export const ErrorBody = z.object({
  /** What happened and what to do about it. */
  error: z.string(),
  code: z.string(),
  /** Which fields of the request are wrong; `path` is empty for the request as a whole. */
  issues: z.optional(z.array(z.object({ path: z.string(), message: z.string() }))),
  /** Also in the header `x-request-id`; name it when asking for help. */
  request_id: z.optional(z.string()),
})
export type ErrorBody = z.output<typeof ErrorBody>
