import { expect, test } from 'vitest'
import { signWebhook, WebhookVerificationError } from '@kinora/protocol'
import { fixtures, readFixture } from '@kinora/protocol/fixtures'
import { verifyWebhook } from './webhook.ts'

const secret = readFixture('webhook-secret').secret

async function signed(value: unknown, secrets = [secret]) {
  const body = JSON.stringify(value)
  return { body, headers: await signWebhook({ id: 'msg_1', timestamp: new Date(), body, secrets }) }
}

test.each(['webhook-completed', 'webhook-failed', 'webhook-canceled'] as const)(
  '%s is verified and typed',
  async (name) => {
    const { body, headers } = await signed(fixtures[name].value)
    const event = await verifyWebhook({ body, headers, secret })
    expect(event).toEqual({ ...(fixtures[name].value as object), webhook_id: 'msg_1' })
    // Narrowing by `type` narrows the job.
    if (event.type === 'job.completed') expect(event.data.status satisfies 'completed').toBe('completed')
  },
)

test('a Fetch API request, Node’s headers, and bytes do as well', async () => {
  const { body, headers } = await signed(fixtures['webhook-completed'].value)
  const request = new Request('https://app.example.com/hooks', { method: 'POST', body, headers })
  await expect(verifyWebhook({ request, secret })).resolves.toMatchObject({ type: 'job.completed' })
  const bytes = new TextEncoder().encode(body)
  await expect(verifyWebhook({ headers, body: bytes, secret: ['another', secret] })).resolves.toMatchObject({
    webhook_id: 'msg_1',
  })
})

test('forged, altered and foreign messages are refused', async () => {
  const { body, headers } = await signed(fixtures['webhook-failed'].value, ['another secret'])
  await expect(verifyWebhook({ body, headers, secret })).rejects.toBeInstanceOf(WebhookVerificationError)
  await expect(verifyWebhook({ body, headers: {}, secret })).rejects.toMatchObject({ code: 'missing_headers' })
  const foreign = await signed({ type: 'invoice.paid' })
  await expect(verifyWebhook({ ...foreign, secret })).rejects.toMatchObject({ code: 'unexpected_response' })
  await expect(verifyWebhook({ secret })).rejects.toThrow(/needs `request`, or `headers` and `body`/)
})
