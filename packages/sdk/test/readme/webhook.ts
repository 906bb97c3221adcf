import { verifyWebhook, WebhookVerificationError } from '@kinora/sdk'

const handled = new Set<string>()

/** For Hono, Next.js, Workers, Deno and everything else that speaks the Fetch API. */
export async function receive(request: Request, secret: string): Promise<Response> {
  try {
    const event = await verifyWebhook({ request, secret })
    // One message may come more than once; its id stays the same.
    if (!handled.has(event.webhook_id)) {
      handled.add(event.webhook_id)
      if (event.type === 'job.completed') console.log('video', event.data.job_id, event.data.result_url)
      else console.log('no video', event.data.job_id, event.error)
    }
    return new Response(null, { status: 204 })
  } catch (error) {
    if (error instanceof WebhookVerificationError) return new Response(error.message, { status: 401 })
    throw error
  }
}
