/** The tenant's signing secret, and the original route by which an outside worker reports a result. */
import { WEBHOOK_HEADERS, WebhookCompleteRequest, WebhookCompleteResponse, WebhookSecret } from '@kinora/protocol'
import { ApiError } from '../api-error.ts'
import { limitBody, readJson } from '../http/body.ts'
import { tenantOf } from '../http/context.ts'
import { body, described, json } from './describe.ts'
import type { Routes } from './parts.ts'

export const webhookRoutes: Routes = (app, { core, requireTenant }) => {
  app.get(
    '/api/v1/webhook-secret',
    described({
      summary: 'Get the secret that signs your webhooks',
      tag: 'webhooks',
      auth: 'apiKey',
      responses: { 200: json(WebhookSecret, 'For the SDK and for any Standard Webhooks library') },
    }),
    requireTenant,
    (context) => context.json({ secret: core.webhookSecrets.of(tenantOf(context)) } satisfies WebhookSecret),
  )

  app.post(
    '/webhook/complete',
    described({
      summary: 'Report a result from outside',
      description: 'Open only on a server with a single API key.',
      tag: 'webhooks',
      auth: 'webhookSecret',
      requestBody: body(WebhookCompleteRequest),
      responses: { 200: json(WebhookCompleteResponse, 'Taken') },
      errors: ['invalid_request', 'job_not_found', 'queue_unavailable'],
    }),
    limitBody(),
    async (context) => {
      const secret = context.req.header(WEBHOOK_HEADERS.secret) ?? ''
      if (!core.webhookSecrets.opensWebhookComplete(secret)) throw new ApiError('unauthorized', 'Unauthorized')
      await core.jobs.completeFromOutside(await readJson(context, WebhookCompleteRequest))
      return context.json({ success: true as const })
    },
  )
}
