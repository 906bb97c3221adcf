import { describe, expect, test } from 'vitest'
import {
  explained,
  FailRequest,
  GenerateFields,
  GenerateRequest,
  HeartbeatRequest,
  Lease,
  LeaseRequest,
  PresignUploadRequest,
  UploadRequest,
  WebhookSecret,
} from './index.ts'
import { readFixture } from './fixtures/index.ts'

const picture = { image_url: 'https://photos.example.com/cat.jpg' }

describe('a wrong request says which field, what is wrong with it, and what to write instead', () => {
  test.each([
    ['no picture', {}, 'image_url', /give the picture/],
    ['two pictures', { ...picture, upload_id: 'upl_1' }, 'image_url', /only one/],
    ['a file URL', { image_url: 'file:///etc/passwd' }, 'image_url', 'must be an http or https URL'],
    [
      'a URL beyond 8192 characters',
      { image_url: `https://a.example/${'x'.repeat(9000)}` },
      'image_url',
      /at most 8192/,
    ],
    ['too long a video', { ...picture, duration: 11 }, 'duration', 'must be at most 10, not 11'],
    ['too short a video', { ...picture, duration: 0 }, 'duration', 'must be at least 1, not 0'],
    ['half a second', { ...picture, duration: 2.5 }, 'duration', 'must be a whole number, not 2.5'],
    ['a number as text', { ...picture, fps: '24' }, 'fps', 'must be a number, not the text "24"'],
    ['an odd width', { ...picture, width: 1000 }, 'width', 'must be a multiple of 32, such as 992 instead of 1000'],
    ['too many pixels', { ...picture, width: 2048, height: 2048 }, 'width', /4194304 pixels; at most 2097152/],
    ['a seed beyond 32 bits', { ...picture, seed: 2 ** 32 }, 'seed', /must be at most 4294967295/],
    [
      'a prompt beyond 4000 characters',
      { ...picture, prompt: 'x'.repeat(4001) },
      'prompt',
      /4000 characters, not 4001/,
    ],
    ['a model with spaces', { ...picture, model: 'LTX Video' }, 'model', /such as "ltx-video"/],
    ['an upload named by a number', { upload_id: '42' }, 'upload_id', /not a plain number/],
    ['a webhook by mail', { ...picture, webhook_url: 'mailto:me@example.com' }, 'webhook_url', /http or https/],
    ['null', null, '', 'must be an object, not null'],
    ['a list', [picture], '', 'must be an object, not an array'],
  ])('%s', (_name, request, path, message) => {
    const issue = GenerateRequest.safeParse(request, explained).error?.issues[0]
    expect(issue?.path.join('.')).toBe(path)
    expect(issue?.message).toMatch(message)
  })
})

test('every wrong field is named, not only the first', () => {
  const { error } = GenerateRequest.safeParse({ ...picture, duration: 99, steps: 0, guidance_scale: -1 }, explained)
  expect(error?.issues.map((issue) => issue.path[0])).toEqual(['duration', 'steps', 'guidance_scale'])
})

test('other requests explain themselves too', () => {
  const first = (result: { error?: { issues: { message: string }[] } | undefined }) => result.error?.issues[0]?.message
  expect(first(UploadRequest.safeParse({ content_type: 'text/html' }, explained))).toMatch(
    /^must be one of image\/jpeg, image\/png/,
  )
  expect(first(UploadRequest.safeParse({ content_length: 21 * 1024 * 1024 }, explained))).toMatch(/at most 20971520/)
  expect(first(PresignUploadRequest.safeParse({}, explained))).toMatch(/is missing: give a string/)
  expect(first(PresignUploadRequest.safeParse({ job_id: '../../etc' }, explained))).toMatch(/letters, digits/)
  expect(first(LeaseRequest.safeParse({ model: 'camera', worker: '' }, explained))).toBe(
    'must have at least 1 characters, not 0',
  )
  expect(first(LeaseRequest.safeParse({ model: 'camera', worker: 'w', wait: 60 }, explained))).toBe(
    'must be at most 25, not 60',
  )
  expect(first(HeartbeatRequest.safeParse({ progress: 101, stage: 'generating' }, explained))).toBe(
    'must be at most 100, not 101',
  )
  expect(first(HeartbeatRequest.safeParse({ progress: 1, stage: 'thinking' }, explained))).toBe(
    'must be one of "fetching", "generating", "uploading"',
  )
  expect(first(FailRequest.safeParse({ error: 'x', retryable: 'no' }, explained))).toBe(
    'must be a boolean, not the text "no"',
  )
  expect(first(WebhookSecret.safeParse({ secret: 'plain' }, explained))).toBe('must start with "whsec_"')
  const lease = readFixture('lease')
  expect(first(Lease.safeParse({ ...lease, lease_id: 'job_1' }, explained))).toBe('must be a UUID')
  expect(first(Lease.safeParse({ ...lease, deadline: 'soon' }, explained))).toMatch(/ISO 8601/)
  expect(first(Lease.safeParse({ ...lease, image_url: 'cat.jpg' }, explained))).toBe('must be a complete URL')
})

test('defaults are filled in, and words of other fields stay as they are', () => {
  expect(GenerateRequest.parse(picture)).toEqual({ ...picture, duration: 5 })
  expect(GenerateFields.parse({ prompt: '  spaced  ' })).toEqual({ prompt: '  spaced  ', duration: 5 })
  expect(UploadRequest.parse({})).toEqual({ content_type: 'image/jpeg' })
  expect(FailRequest.parse({ error: 'x' })).toEqual({ error: 'x', error_code: 'engine_error', retryable: true })
})
