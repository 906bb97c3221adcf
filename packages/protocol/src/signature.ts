/**
 * Standard Webhooks signatures with Web Crypto, so that signing and checking run in Node, browsers, edge runtimes and Convex.
 *
 * A message is signed as HMAC-SHA256 over `id.timestamp.body`; the header holds `v1,<base64>` once for each secret, space-separated, so that a
 * secret can be changed without losing messages. Source: the Standard Webhooks specification, https://www.standardwebhooks.com.
 */

/** Header names of a signed webhook, and the original contract's shared-secret header. */
export const WEBHOOK_HEADERS = {
  id: 'webhook-id',
  timestamp: 'webhook-timestamp',
  signature: 'webhook-signature',
  secret: 'x-webhook-secret',
} as const

/** Seconds a message may be old, or ahead, before it is refused. */
export const WEBHOOK_TOLERANCE_SECONDS = 300

/** Why a webhook was refused. The message never holds a secret or a signature. */
export class WebhookVerificationError extends Error {
  override readonly name = 'WebhookVerificationError'
  readonly code: 'missing_headers' | 'invalid_timestamp' | 'stale_timestamp' | 'invalid_signature'

  constructor(code: WebhookVerificationError['code'], message: string) {
    super(message)
    this.code = code
  }
}

export interface SignWebhookInput {
  /** The same for all attempts at one message. */
  readonly id: string
  /** When this attempt is made. */
  readonly timestamp: Date
  /** The exact text that is sent. */
  readonly body: string
  /** One secret, or several while one replaces another. */
  readonly secrets: readonly string[]
}

/**
 * The three headers that sign a message.
 *
 * @throws TypeError when there is no secret, or one that cannot be a secret
 */
export async function signWebhook({ id, timestamp, body, secrets }: SignWebhookInput): Promise<Record<string, string>> {
  if (secrets.length === 0) throw new TypeError('Signing a webhook needs at least one secret.')
  const seconds = String(Math.floor(timestamp.getTime() / 1000))
  const content = encode(`${id}.${seconds}.${body}`)
  const signatures = await Promise.all(
    secrets.map(
      async (secret) =>
        `v1,${toBase64(new Uint8Array(await crypto.subtle.sign('HMAC', await importKey(secret), content)))}`,
    ),
  )
  return {
    [WEBHOOK_HEADERS.id]: id,
    [WEBHOOK_HEADERS.timestamp]: seconds,
    [WEBHOOK_HEADERS.signature]: signatures.join(' '),
  }
}

export interface VerifyWebhookInput {
  /** The request's headers: a `Headers`, or a plain object with lower-case names. */
  readonly headers: Pick<Headers, 'get'> | Readonly<Record<string, string | readonly string[] | undefined>>
  /** The body exactly as received. Parsing and printing it again breaks the signature. */
  readonly body: string
  /** `whsec_…` as `GET /api/v1/webhook-secret` answers it, or the server's WEBHOOK_SECRET as it stands. Several while one replaces another. */
  readonly secret: string | readonly string[]
  /** Seconds of difference between the clocks that are accepted. Default 300. */
  readonly toleranceSeconds?: number
  /** Default: the present. */
  readonly now?: Date
}

/**
 * Checks a message and answers its id, which is the same for repeated deliveries: remember it to act only once.
 *
 * @throws WebhookVerificationError when headers are missing, the timestamp is off, or no signature matches
 */
export async function verifyWebhookSignature(input: VerifyWebhookInput): Promise<{ id: string; timestamp: Date }> {
  const { headers, body, toleranceSeconds = WEBHOOK_TOLERANCE_SECONDS, now = new Date() } = input
  const id = readHeader(headers, WEBHOOK_HEADERS.id)
  const seconds = readHeader(headers, WEBHOOK_HEADERS.timestamp)
  const signatures = readHeader(headers, WEBHOOK_HEADERS.signature)
  if (!id || !seconds || !signatures) {
    throw new WebhookVerificationError(
      'missing_headers',
      `The request lacks ${WEBHOOK_HEADERS.id}, ${WEBHOOK_HEADERS.timestamp} or ${WEBHOOK_HEADERS.signature}: it was not sent by Kinora, or a proxy dropped them.`,
    )
  }
  if (!/^\d{1,12}$/.test(seconds))
    throw new WebhookVerificationError('invalid_timestamp', `${WEBHOOK_HEADERS.timestamp} is not a number of seconds.`)
  const age = now.getTime() / 1000 - Number(seconds)
  if (Math.abs(age) > toleranceSeconds) {
    throw new WebhookVerificationError(
      'stale_timestamp',
      `The message is ${Math.round(age)} s old; at most ${toleranceSeconds} s are accepted. Check this machine's clock.`,
    )
  }

  const content = encode(`${id}.${seconds}.${body}`)
  const secrets = typeof input.secret === 'string' ? [input.secret] : input.secret
  const given = signatures
    .split(' ')
    .filter((part) => part.startsWith('v1,'))
    .map((part) => fromBase64(part.slice(3)))
  for (const secret of secrets) {
    const key = await importKey(secret)
    for (const signature of given) {
      // subtle.verify compares in constant time.
      if (signature && (await crypto.subtle.verify('HMAC', key, signature, content)))
        return { id, timestamp: new Date(Number(seconds) * 1000) }
    }
  }
  throw new WebhookVerificationError(
    'invalid_signature',
    'No signature matches: the secret is another one, or the body was changed on its way (pass it exactly as received).',
  )
}

/** A secret of the server's configuration in the Standard Webhooks form; one that has it already stays as it is. Both sign alike. */
export function toWebhookSecret(secret: string): string {
  return secret.startsWith(PREFIX) ? secret : PREFIX + toBase64(encode(secret))
}

const PREFIX = 'whsec_'

async function importKey(secret: string) {
  const bytes = secret.startsWith(PREFIX) ? fromBase64(secret.slice(PREFIX.length)) : encode(secret)
  if (!bytes || bytes.length === 0)
    throw new TypeError('The webhook secret is empty, or starts with "whsec_" and is not base64 after it.')
  return crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify'])
}

function readHeader(headers: VerifyWebhookInput['headers'], name: string): string | undefined {
  if (typeof headers.get === 'function') return headers.get(name) ?? undefined
  const value = (headers as Readonly<Record<string, string | readonly string[] | undefined>>)[name]
  return typeof value === 'string' ? value : value?.[0]
}

function encode(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text)
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0))
  } catch {
    return undefined
  }
}
