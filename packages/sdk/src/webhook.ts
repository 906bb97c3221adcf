/** Webhooks, from the receiver's side. */
import {
  isFinal,
  type Job,
  verifyWebhookSignature,
  type VerifyWebhookInput,
  type WebhookPayload,
} from '@kinora/protocol'
import { isFields, isJob, parseJson } from './answer.ts'
import { UnexpectedResponseError } from './errors.ts'

export interface VerifyWebhookOptions extends Omit<VerifyWebhookInput, 'headers' | 'body'> {
  /** A Fetch API request; its body is read. Or give `headers` and `body`. */
  readonly request?: Request
  readonly headers?: VerifyWebhookInput['headers']
  /** The body exactly as received, as text or bytes: parsing and printing it again breaks the signature. */
  readonly body?: string | Uint8Array
}

type About<Type extends WebhookPayload['type'], Status extends Job['status']> = Omit<
  WebhookPayload,
  'type' | 'data'
> & {
  readonly type: Type
  readonly data: Job & { status: Status }
  /** The same for every delivery of one message: remember it to act only once. */
  readonly webhook_id: string
}

/** A message that was proved to be the server's. */
export type WebhookEvent =
  | About<'job.completed', 'completed'>
  | About<'job.failed', 'failed'>
  | About<'job.canceled', 'canceled'>

/**
 * Checks a webhook's signature and time, and reads it.
 *
 * @example
 * const event = await verifyWebhook({ request, secret: process.env.KINORA_WEBHOOK_SECRET })
 * if (event.type === 'job.completed') save(event.data.job_id, event.data.result_url)
 *
 * @throws WebhookVerificationError when it is forged, altered, too old, or no webhook of Kinora's: answer 400 or 401
 */
export async function verifyWebhook(options: VerifyWebhookOptions): Promise<WebhookEvent> {
  const { request, headers = request?.headers, body = await request?.text(), ...rest } = options
  if (headers === undefined || body === undefined)
    throw new TypeError('verifyWebhook needs `request`, or `headers` and `body`.')
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body)
  const { id } = await verifyWebhookSignature({ ...rest, headers, body: text })
  const payload = parseJson(text)
  if (!isPayload(payload)) {
    throw new UnexpectedResponseError(
      'The webhook is signed with the right secret, but is not a message about a job.',
      0,
      {},
    )
  }
  return { ...payload, webhook_id: id }
}

function isPayload(value: unknown): value is WebhookEvent {
  return isFields(value) && isJob(value.data) && isFinal(value.data.status) && value.type === `job.${value.data.status}`
}
