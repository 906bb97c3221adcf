/** Webhooks: what the server sends to a job's `webhook_url`, and the original route by which a result can be reported from outside. */
import * as z from 'zod/mini'
import { HttpUrl } from './http-url.ts'
import { Id } from './id.ts'
import { Job, Timestamp } from './job.ts'
import type { FinalStatus } from './status.ts'

export const WEBHOOK_TYPES = ['job.completed', 'job.failed', 'job.canceled'] as const
export type WebhookType = (typeof WEBHOOK_TYPES)[number]

/** The message: `type`, `timestamp` and the job as `data`, beside the original top-level fields, where a canceled job says `failed`. */
export const WebhookPayload = z.object({
  type: z.enum(WEBHOOK_TYPES),
  timestamp: Timestamp,
  data: Job,
  job_id: Id,
  status: z.enum(['completed', 'failed']),
  video_url: z.optional(z.url()),
  error: z.optional(z.string()),
})
export type WebhookPayload = z.output<typeof WebhookPayload>

/** The message about a job that has ended. */
export function webhookPayload(job: Job & { status: FinalStatus }, timestamp: string): WebhookPayload {
  const error = job.status === 'canceled' ? 'Canceled' : job.error_message
  return {
    type: `job.${job.status}`,
    timestamp,
    data: job,
    job_id: job.job_id,
    status: job.status === 'completed' ? 'completed' : 'failed',
    ...(job.status === 'completed' && job.result_url !== undefined ? { video_url: job.result_url } : {}),
    ...(job.status !== 'completed' && error !== undefined ? { error } : {}),
  }
}

/** `POST /webhook/complete`, header `X-Webhook-Secret`: an outside worker reports a result by URL. */
export const WebhookCompleteRequest = z.object({
  job_id: Id,
  status: z.enum(['completed', 'failed']),
  video_url: z.optional(HttpUrl),
  error: z.optional(z.string().check(z.maxLength(4000))),
})
export type WebhookCompleteRequest = z.input<typeof WebhookCompleteRequest>

export const WebhookCompleteResponse = z.object({ success: z.literal(true) })

/** `GET /api/v1/webhook-secret`: the tenant's signing secret in the Standard Webhooks form. */
export const WebhookSecret = z.object({ secret: z.string().check(z.startsWith('whsec_')) })
export type WebhookSecret = z.output<typeof WebhookSecret>
