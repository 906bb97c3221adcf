import { Webhook } from 'standardwebhooks'
import { describe, expect, test } from 'vitest'
import { signWebhook, toWebhookSecret, verifyWebhookSignature, WebhookVerificationError } from './index.ts'
import { readFixture } from './fixtures/index.ts'

const secret = readFixture('webhook-secret').secret
const body = JSON.stringify(readFixture('webhook-completed'))
const id = 'msg_2Lh9'
const now = new Date('2026-03-14T09:28:10.000Z')

function sign(overrides: Partial<Parameters<typeof signWebhook>[0]> = {}) {
  return signWebhook({ id, timestamp: now, body, secrets: [secret], ...overrides })
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error('It was accepted.'),
    (reason: unknown) => reason,
  )
  if (!(error instanceof WebhookVerificationError)) throw error
  expect(error.message).not.toContain(secret.slice(6))
  return error.code
}

describe('interoperates with the standardwebhooks package', () => {
  test('what we sign, it verifies', async () => {
    const present = new Date()
    const headers = await sign({ timestamp: present })
    expect(new Webhook(secret).verify(body, headers)).toEqual(JSON.parse(body))
  })

  test('what it signs, we verify', async () => {
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(now.getTime() / 1000),
      'webhook-signature': new Webhook(secret).sign(id, now, body),
    }
    await expect(verifyWebhookSignature({ headers, body, secret, now })).resolves.toEqual({ id, timestamp: now })
  })

  test('bodies beyond ASCII are signed as UTF-8', async () => {
    const text = '{"prompt":"Die Möwe fliegt 🕊 über 東京"}'
    const headers = await signWebhook({ id, timestamp: new Date(), body: text, secrets: [secret] })
    expect(() => new Webhook(secret).verify(text, headers)).not.toThrow()
    await expect(verifyWebhookSignature({ headers, body: text, secret })).resolves.toMatchObject({ id })
  })
})

test('a known message has a known signature', async () => {
  // The example of the Standard Webhooks specification's reference libraries.
  const headers = await signWebhook({
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    timestamp: new Date(1614265330 * 1000),
    body: '{"test": 2432232314}',
    secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
  })
  expect(headers['webhook-signature']).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
})

describe('rotation', () => {
  const next = toWebhookSecret('the next secret, which is long enough')

  test('while two secrets sign, receivers with either accept', async () => {
    const headers = await sign({ secrets: [next, secret] })
    expect(headers['webhook-signature']?.split(' ')).toHaveLength(2)
    await expect(verifyWebhookSignature({ headers, body, secret: next, now })).resolves.toMatchObject({ id })
    await expect(verifyWebhookSignature({ headers, body, secret, now })).resolves.toMatchObject({ id })
  })

  test('a receiver may know both secrets while one signs', async () => {
    const headers = await sign({ secrets: [secret] })
    await expect(verifyWebhookSignature({ headers, body, secret: [next, secret], now })).resolves.toMatchObject({ id })
    expect(await codeOf(verifyWebhookSignature({ headers, body, secret: [next], now }))).toBe('invalid_signature')
  })
})

describe('the clock', () => {
  test.each([
    ['on time', 0, 'accepted'],
    ['five minutes late', 300, 'accepted'],
    ['later than that', 301, 'stale_timestamp'],
    ['five minutes ahead', -300, 'accepted'],
    ['further ahead', -301, 'stale_timestamp'],
  ])('%s', async (_name, seconds, expected) => {
    const headers = await sign()
    const received = verifyWebhookSignature({ headers, body, secret, now: new Date(now.getTime() + seconds * 1000) })
    if (expected === 'accepted') await expect(received).resolves.toMatchObject({ id })
    else expect(await codeOf(received)).toBe(expected)
  })

  test('the tolerance can be set', async () => {
    const later = new Date(now.getTime() + 3600_000)
    const input = { headers: await sign(), body, secret, now: later, toleranceSeconds: 3600 }
    await expect(verifyWebhookSignature(input)).resolves.toMatchObject({ id })
  })
})

describe('tampering is refused', () => {
  test('with the body, the id, the time, the signature', async () => {
    const headers = await sign()
    const check = (changes: object, text = body) =>
      codeOf(verifyWebhookSignature({ headers: { ...headers, ...changes }, body: text, secret, now }))
    expect(await check({}, body.replace('completed', 'failed'))).toBe('invalid_signature')
    expect(await check({ 'webhook-id': 'msg_other' })).toBe('invalid_signature')
    expect(await check({ 'webhook-timestamp': String(now.getTime() / 1000 + 1) })).toBe('invalid_signature')
    expect(await check({ 'webhook-signature': 'v1,AAAA' })).toBe('invalid_signature')
    expect(await check({ 'webhook-signature': 'v1,not base64!' })).toBe('invalid_signature')
    expect(await check({ 'webhook-signature': headers['webhook-signature']?.replace('v1,', 'v2,') })).toBe(
      'invalid_signature',
    )
    expect(await check({ 'webhook-timestamp': '1e9' })).toBe('invalid_timestamp')
    expect(await check({ 'webhook-timestamp': undefined })).toBe('missing_headers')
    expect(await check({ 'webhook-signature': '' })).toBe('missing_headers')
  })

  test('a secret that cannot be one is refused before anything is signed', async () => {
    await expect(sign({ secrets: ['whsec_'] })).rejects.toThrow(/secret is empty/)
    await expect(sign({ secrets: ['whsec_***'] })).rejects.toThrow(/not base64/)
    await expect(sign({ secrets: [] })).rejects.toThrow(/at least one secret/)
  })
})

describe('secrets', () => {
  test('a plain one and its Standard Webhooks form sign alike', async () => {
    const plain = 'correct horse battery staple'
    expect(toWebhookSecret(toWebhookSecret(plain))).toBe(toWebhookSecret(plain))
    expect(await sign({ secrets: [plain] })).toEqual(await sign({ secrets: [toWebhookSecret(plain)] }))
  })

  test('headers may be a Headers, a plain object, or lists as Node gives them', async () => {
    const headers = await sign()
    for (const form of [headers, new Headers(headers), mapValues(headers, (value) => [value])]) {
      await expect(verifyWebhookSignature({ headers: form, body, secret, now })).resolves.toMatchObject({ id })
    }
  })
})

function mapValues<A, B>(record: Record<string, A>, map: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value)]))
}
