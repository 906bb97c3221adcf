/** Secrets are compared in a time that tells nothing of them: every comparison goes through Node's, over values of one length. */
import * as crypto from 'node:crypto'
import { Hono } from 'hono'
import { beforeEach, expect, it, vi } from 'vitest'
import { createApiKeyAuthentication } from '../../src/auth/authenticate.ts'
import { createGuards } from '../../src/auth/guards.ts'
import { createSecrets } from '../../src/deliveries/secrets.ts'
import { signGrant, verifyGrant } from '../../src/storage/disk/signed-url.ts'

vi.mock('node:crypto', async (original) => {
  const real = await original<typeof crypto>()
  return { ...real, timingSafeEqual: vi.fn(real.timingSafeEqual) }
})

const compared = vi.mocked(crypto.timingSafeEqual)
beforeEach(() => void compared.mockClear())

it.each(['key-of-anna', 'key-of-bert', 'key-of-carl', 'k', 'a-key-of-nobody'])(
  'an API key (%s) with all keys, also after the right one was found',
  async (key) => {
    const tenants = ['anna', 'bert', 'carl']
    const authenticate = createApiKeyAuthentication(tenants.map((tenant) => ({ tenant, key: `key-of-${tenant}` })))
    const app = new Hono().get('/', async (context) => context.json(await authenticate(context.req.raw, context)))
    const identity: unknown = await (await app.request('/', { headers: { authorization: `Bearer ${key}` } })).json()
    const tenant = tenants.find((one) => key === `key-of-${one}`)
    expect(identity).toEqual(tenant === undefined ? null : { tenant })
    expect(compared.mock.calls.map(([a, b]) => [a.byteLength, b.byteLength])).toEqual([
      [32, 32],
      [32, 32],
      [32, 32],
    ])
  },
)

it('the workers’ token and the secret of the hooks, whatever their length', async () => {
  const secrets = createSecrets({ secret: 'secret-of-the-hooks', singleTenant: 'default' })
  const guards = createGuards({
    authenticate: () => null,
    workerToken: 'token-of-the-workers',
    webhookSecrets: secrets,
  })
  const app = new Hono().get('/', async (context) => {
    await guards.workerToken(context, { requestId: '', logger: undefined as never }).catch(() => undefined)
    return context.text('')
  })
  for (const token of ['t', 'token-of-the-workers', 'token-of-the-workers-and-more']) {
    await app.request('/', { headers: { authorization: `Bearer ${token}` } })
    secrets.opensWebhookComplete(token)
  }
  expect(compared.mock.calls.map(([a, b]) => [a.byteLength, b.byteLength])).toEqual(
    Array.from({ length: 6 }, () => [32, 32]),
  )
})

it('the signature of a URL', () => {
  const signingKey = new Uint8Array(32)
  const query = signGrant({ method: 'GET', key: 'a', expires: 100 }, signingKey)
  expect(verifyGrant({ method: 'GET', key: 'a', query }, signingKey, 50).grant).not.toBeNull()
  expect(compared).toHaveBeenCalledTimes(1)
  query.set('signature', 'AAAA')
  expect(verifyGrant({ method: 'GET', key: 'a', query }, signingKey, 50).grant).toBeNull()
})
