/** Between HTTP and the webhook's handling: shared by the component's own route and by an app's router. */
import { WEBHOOK_HEADERS } from '@kinora/protocol'
import type { Answer, Message } from './webhook.ts'

/** Bytes of a message; Kinora's stay under 20 kB. */
const MAX_BODY = 256 * 1024

/** Reads a request. Only the headers that prove its origin go on. */
export async function toMessage(request: Request): Promise<Message | Answer> {
  const body = await request.text()
  if (body.length > MAX_BODY) return { status: 413, body: 'The message is too large.' }
  const headers: Record<string, string> = {}
  for (const name of Object.values(WEBHOOK_HEADERS)) {
    const value = request.headers.get(name)
    if (value !== null) headers[name] = value
  }
  const jobId = new URL(request.url).searchParams.get('job')
  return { body, headers, ...(jobId === null ? {} : { jobId }) }
}

export function toResponse({ status, body, retryAfter }: Answer): Response {
  const headers = new Headers({ 'content-type': 'application/json' })
  if (retryAfter !== undefined) headers.set('retry-after', String(retryAfter))
  return new Response(JSON.stringify(status < 300 ? { success: true } : { error: body }), { status, headers })
}
