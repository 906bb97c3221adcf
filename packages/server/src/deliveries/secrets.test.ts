import { expect, it } from 'vitest'
import { createSecrets } from './secrets.ts'

const secret = 'the operator’s secret'

it('signs with the secret itself while there is one API key, and sends it along', () => {
  const secrets = createSecrets({ secret, singleTenant: 'default' })
  expect(Buffer.from(secrets.of('default').slice('whsec_'.length), 'base64').toString()).toBe(secret)
  expect(secrets.sentTo('default')).toBe(secret)
  expect(secrets.opensWebhookComplete(secret)).toBe(true)
  expect(secrets.opensWebhookComplete('another')).toBe(false)
})

it('signs with WEBHOOK_SIGNING_SECRET where it is set', () => {
  const secrets = createSecrets({ secret, signingSecret: 'whsec_c2lnbmluZw==', singleTenant: 'default' })
  expect(secrets.of('default')).toBe('whsec_c2lnbmluZw==')
  expect(secrets.sentTo('default')).toBe(secret)
})

it('gives each of several tenants a secret of his own, always the same, and shows none of them the operator’s', () => {
  const secrets = createSecrets({ secret })
  expect(secrets.of('anna')).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
  expect(secrets.of('anna')).toBe(createSecrets({ secret }).of('anna'))
  expect(secrets.of('anna')).not.toBe(secrets.of('bert'))
  expect(secrets.sentTo('anna')).toBeUndefined()
  expect(secrets.opensWebhookComplete(secret)).toBe(false)
})
