/** The tenant's signing secret, and the original route by which an outside worker reports a result. */
import { paths, WebhookCompleteRequest, WebhookCompleteResponse, WebhookSecret } from '@kinora/protocol'
import { json, type Route, route } from './route.ts'

export const webhookRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: paths.webhookSecret.pattern,
    auth: 'apiKey',
    tag: 'webhooks',
    summary: 'Get the secret that signs your webhooks',
    answers: { 200: json(WebhookSecret, 'For the SDK and for any Standard Webhooks library') },
    handle: ({ context, tenant }, { core }) =>
      context.json({ secret: core.webhookSecrets.of(tenant) } satisfies WebhookSecret),
  }),

  route({
    method: 'post',
    path: paths.webhookComplete.pattern,
    auth: 'webhookSecret',
    tag: 'webhooks',
    summary: 'Report a result from outside',
    description: 'Open only on a server with a single API key.',
    body: WebhookCompleteRequest,
    answers: { 200: json(WebhookCompleteResponse, 'Taken') },
    errors: ['invalid_request', 'job_not_found', 'queue_unavailable'],
    async handle(request, { core }) {
      await core.jobs.completeFromOutside(await request.body())
      return request.context.json({ success: true as const })
    },
  }),
]
