/** A user's webhook endpoint: checks each signature as the docs say, and remembers what came. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { verifyWebhookSignature, WebhookPayload } from '@kinora/protocol'

export interface ReceivedWebhook {
  /** The message's id: the same when it is delivered again. */
  readonly id: string
  readonly payload: WebhookPayload
}

export interface WebhookReceiver {
  readonly url: string
  readonly received: readonly ReceivedWebhook[]
  /** Messages whose signature or body was wrong: there should be none. */
  readonly refused: readonly string[]
  close(): Promise<void>
}

export async function startWebhookReceiver(secret: string): Promise<WebhookReceiver> {
  const received: ReceivedWebhook[] = []
  const refused: string[] = []
  const server = createServer((request, response) => {
    void (async () => {
      const body = await text(request)
      try {
        const { id } = await verifyWebhookSignature({ headers: request.headers, body, secret })
        received.push({ id, payload: WebhookPayload.parse(JSON.parse(body)) })
        response.writeHead(204).end()
      } catch (error) {
        refused.push(String(error))
        response.writeHead(400).end()
      }
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The system gave no port.')
  return {
    url: `http://127.0.0.1:${address.port}/webhook`,
    received,
    refused,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
