import { describe, expect, test } from 'vitest'
import { isPublicUrl, webhookAddress } from './addresses.ts'

describe('isPublicUrl', () => {
  test.each([
    'https://happy-otter-123.convex.cloud/api/storage/1',
    'http://8.8.8.8/',
    'https://172.32.0.1/',
    'http://[2606:4700::1]/',
  ])('%s can be reached from outside', (url) => expect(isPublicUrl(url)).toBe(true))

  test.each([
    'http://localhost:3210/api/storage/1',
    'http://127.0.0.1:3210/',
    'http://10.1.2.3/',
    'http://172.16.0.1/',
    'http://192.168.1.7/',
    'http://169.254.169.254/',
    'http://100.64.0.1/',
    'http://0.0.0.0/',
    'http://[::1]/',
    'http://[::ffff:8.8.8.8]/',
    'http://[fd00::1]/',
    'http://backend:3210/',
    'http://nas.local/',
    'http://app.localhost./',
    'ftp://pictures.example.com/cat.jpg',
    'not a url',
  ])('%s cannot', (url) => expect(isPublicUrl(url)).toBe(false))
})

describe('webhookAddress', () => {
  const base = { explicit: undefined, siteUrl: undefined, hasSecret: true, jobId: 'j1' }

  test('is the mounted route, with the job in it', () => {
    const siteUrl = 'https://happy-otter-123.convex.site/api/webhooks'
    expect(webhookAddress({ ...base, siteUrl })).toEqual({ url: `${siteUrl}/video-complete?job=j1` })
    expect(webhookAddress({ ...base, siteUrl: `${siteUrl}/` })).toEqual({ url: `${siteUrl}/video-complete?job=j1` })
  })

  test('is what the app says, also in local development', () => {
    expect(webhookAddress({ ...base, explicit: 'http://127.0.0.1:9/hook?a=b' })).toEqual({
      url: 'http://127.0.0.1:9/hook?a=b&job=j1',
    })
  })

  test.each([
    [{ hasSecret: false, explicit: 'https://app.example.com/hook' }, /WEBHOOK_SECRET is not set/],
    [{ siteUrl: 'http://127.0.0.1:3211/api/webhooks' }, /not public/],
    [{ siteUrl: 'https://happy-otter-123.convex.site' }, /without an httpPrefix/],
    [{}, /no site URL/],
  ])('without one says why: %j', (input, reason) => {
    expect(webhookAddress({ ...base, ...input })).toEqual({ reason: expect.stringMatching(reason) })
  })
})
