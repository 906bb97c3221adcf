import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { bearerToken, createApiKeyAuthentication } from './authenticate.ts'

const keys = createApiKeyAuthentication([
  { tenant: 'anna', key: 'key-of-anna' },
  { tenant: 'anna', key: 'second-key-of-anna' },
  { tenant: 'bert', key: 'key-of-bert' },
])

async function identify(authorization?: string): Promise<unknown> {
  const app = new Hono().get('/', async (context) => context.json(await keys(context.req.raw, context)))
  return (await app.request('/', authorization === undefined ? {} : { headers: { authorization } })).json()
}

describe('API keys', () => {
  it('name their tenant', async () => {
    expect(await identify('Bearer key-of-anna')).toEqual({ tenant: 'anna' })
    expect(await identify('Bearer second-key-of-anna')).toEqual({ tenant: 'anna' })
    expect(await identify('bearer  key-of-bert ')).toEqual({ tenant: 'bert' })
  })

  it.each([undefined, '', 'Bearer', 'Bearer key-of-ann', 'Bearer key-of-annaa', 'Basic key-of-anna', 'key-of-anna'])(
    'refuse %j',
    async (header) => {
      expect(await identify(header)).toBeNull()
    },
  )
})

it('reads the bearer token and nothing else', () => {
  expect(bearerToken('Bearer abc')).toBe('abc')
  for (const header of [null, undefined, '', 'Bearer', 'Bearer a b', 'Token abc'])
    expect(bearerToken(header)).toBeNull()
})
