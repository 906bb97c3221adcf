/**
 * Receives Kinora's webhooks.
 *
 *     API_URL=http://127.0.0.1:3000 API_KEY=… PORT=4000 npx tsx receiver.ts
 *
 * and then pass `webhook_url: "http://…:4000/webhooks/kinora"` in a job.
 */
import { serve } from '@hono/node-server'
import { isKinoraError, Kinora, verifyWebhook, WebhookVerificationError } from '@kinora/sdk'
import { Hono } from 'hono'

const { API_URL, API_KEY, PORT = '4000' } = process.env
if (!API_URL || !API_KEY) {
  console.error('API_URL and API_KEY are needed: the signing secret is asked from the server.')
  process.exit(2)
}

// In production keep it in your configuration; it changes only when you change it.
const secret = await new Kinora({ baseUrl: API_URL, apiKey: API_KEY }).webhookSecret().catch((error: unknown) => {
  console.error(isKinoraError(error) ? error.message : error)
  process.exit(1)
})

/** Ids of messages that were acted on. A real app keeps them where it keeps its data, in the same transaction. */
const seen = new Set<string>()

const app = new Hono()
app.post('/webhooks/kinora', async (context) => {
  try {
    const event = await verifyWebhook({ request: context.req.raw, secret })
    // A message is sent again when our answer was lost: the id tells.
    if (seen.has(event.webhook_id)) return context.body(null, 204)
    seen.add(event.webhook_id)
    const { type, data: job } = event
    console.log(`${type} ${job.job_id} ${job.result_url ?? job.error_message ?? ''}`)
    return context.body(null, 204)
  } catch (error) {
    // 4xx: the sender tries again on its schedule, in case the secret here is the one that is wrong.
    if (error instanceof WebhookVerificationError) return context.text(error.message, 401)
    throw error
  }
})

const server = serve({ fetch: app.fetch, port: Number(PORT), hostname: '127.0.0.1' }, ({ port }) => {
  console.log(`Webhooks go to http://127.0.0.1:${port}/webhooks/kinora`)
})
process.on('SIGTERM', () => server.close())
