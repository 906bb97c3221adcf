import { pino } from 'pino'
import { describe, expect, it, vi } from 'vitest'
import { createKinora } from './create-kinora.ts'
import type { KinoraOptions } from './options.ts'
import type { StoreDriver } from './stores/store.ts'

const open = vi.fn<StoreDriver['open']>()
const good: KinoraOptions = {
  store: { name: 'embedded', open },
  dataDir: './nowhere',
  publicUrl: 'https://example.com',
  apiKey: 'key-of-the-app',
  webhookSecret: 'secret',
  logger: pino({ level: 'silent' }),
}

describe('options that cannot work', () => {
  it.each<[string, Partial<KinoraOptions>, RegExp]>([
    ['no key', { apiKey: undefined }, /exactly one of apiKey, apiKeys and authenticate/],
    ['two kinds of keys', { authenticate: () => null }, /exactly one of/],
    ['no keys in the list', { apiKey: undefined, apiKeys: [] }, /apiKeys is empty/],
    ['a short key', { apiKey: 'short' }, /at least 8 characters/],
    [
      'a key twice',
      { apiKey: undefined, apiKeys: ['a', 'b'].map((tenant) => ({ tenant, key: 'same-key-1' })) },
      /twice/,
    ],
    ['no webhook secret', { webhookSecret: '' }, /webhookSecret is empty/],
    ['an empty worker token', { workerToken: '' }, /workerToken is empty/],
    ['no place for files', { dataDir: undefined }, /needs a storage, or a dataDir/],
    ['no models', { models: [] }, /models is empty/],
    ['an address that is none', { publicUrl: 'example.com' }, /publicUrl "example.com" is not an address/],
    ['an address with a query', { publicUrl: 'https://example.com/?a=1' }, /is not an address/],
    ['a base path that is none', { basePath: 'video' }, /basePath "video" is not a path/],
    [
      'links that would miss the base path',
      { basePath: '/video' },
      /has to end with the basePath: "https:\/\/example.com\/video"/,
    ],
    ['a network that is none', { allowNetworks: ['lan'] }, /"lan" is not a network/],
  ])('%s is refused before anything is opened', async (_, change, message) => {
    await expect(createKinora({ ...good, ...change })).rejects.toThrow(message)
    expect(open).not.toHaveBeenCalled()
  })
})
