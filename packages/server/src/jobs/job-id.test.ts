import { Id } from '@kinora/protocol'
import { expect, it } from 'vitest'
import { jobIdFor, requestHash } from './job-id.ts'
import { uploadKey } from './keys.ts'

it('draws a new id, or derives it from tenant and idempotency key', () => {
  expect(Id.parse(jobIdFor('anna', undefined))).not.toBe(jobIdFor('anna', undefined))
  expect(jobIdFor('anna', 'key')).toBe(jobIdFor('anna', 'key'))
  expect(jobIdFor('anna', 'key')).not.toBe(jobIdFor('bert', 'key'))
  expect(jobIdFor('a', 'bc')).not.toBe(jobIdFor('ab', 'c'))
})

it('knows the same request by what it asks for', () => {
  const image = { image_url: 'https://pictures.example/a.jpg' }
  const hash = requestHash({ image, request: { duration: 5, prompt: 'a' } }, 'camera')
  expect(requestHash({ image, request: { prompt: 'a', duration: 5, seed: undefined } }, 'camera')).toBe(hash)
  expect(requestHash({ image, request: { duration: 5, prompt: 'b' } }, 'camera')).not.toBe(hash)
  expect(requestHash({ image, request: { duration: 5, prompt: 'a' } }, 'ltx-video')).not.toBe(hash)
})

it('knows a picture that came with the request by its bytes', () => {
  const request = { duration: 5 }
  const hash = requestHash({ image: { upload_id: 'one', digest: 'd' }, request }, 'camera')
  expect(requestHash({ image: { upload_id: 'two', digest: 'd' }, request }, 'camera')).toBe(hash)
  expect(requestHash({ image: { upload_id: 'one', digest: 'e' }, request }, 'camera')).not.toBe(hash)
})

it('keeps every tenant’s uploads apart, whatever he is called', () => {
  expect(uploadKey('anna', 'photo')).toBe('uploads/t_anna/photo')
  const odd = ['../anna', 'anna/x', 'Änna', 'h_1'].map((tenant) => uploadKey(tenant, 'photo'))
  expect(new Set(odd).size).toBe(4)
  for (const key of odd) expect(key).toMatch(/^uploads\/[th]_[A-Za-z0-9_-]+\/photo$/)
})
