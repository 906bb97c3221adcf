import { describe, expect, test } from 'vitest'
import { explained, frameOf, GenerateRequest, MAX_IMAGES, MAX_METADATA_BYTES } from './index.ts'

const url = 'https://photos.example.com/cat.jpg'
const start = { image_url: url, at: 'start' }

describe('which pictures a request may name', () => {
  const problem = (request: object): string | undefined => {
    const issue = GenerateRequest.safeParse(request, explained).error?.issues[0]
    return issue && `${issue.path.join('.')} ${issue.message}`
  }

  test.each<[string, object]>([
    ['a first and a last one by URL', { image_url: url, end_image_url: url }],
    ['a first by URL and a last by upload', { image_url: url, end_upload_id: 'upl_1' }],
    ['one at the start', { images: [start] }],
    [
      'frame 0 and 2.5 s',
      {
        images: [
          { upload_id: 'upl_1', frame: 0 },
          { image_url: url, seconds: 2.5 },
        ],
      },
    ],
    [
      'what only the model can tell to be one frame',
      {
        images: [start, { image_url: url, frame: 60 }, { image_url: url, seconds: 2.5 }],
      },
    ],
    ['eight', { images: Array.from({ length: MAX_IMAGES }, (_, frame) => ({ image_url: url, frame })) }],
  ])('%s', (_name, request) => {
    expect(problem(request)).toBeUndefined()
  })

  test.each<[string, object, RegExp]>([
    ['none', {}, /^image_url give the picture/],
    ['two ways at once', { image_url: url, images: [start] }, /only one of "image_url", "upload_id" and "images"/],
    ['an end beside images', { images: [start], end_image_url: url }, /^end_image_url .*"at": "end"/],
    ['two ends', { image_url: url, end_image_url: url, end_upload_id: 'upl_1' }, /^end_image_url give only one/],
    ['an end alone', { end_image_url: url }, /^image_url give the picture/],
    ['an empty list', { images: [] }, /^images /],
    ['none at the start', { images: [{ image_url: url, at: 'end' }] }, /^images need a picture at the start/],
    ['nine', { images: Array.from({ length: 9 }, (_, frame) => ({ image_url: url, frame })) }, /^images /],
    ['two at frame 0', { images: [start, { image_url: url, frame: 0 }] }, /^images\.1 stands at the same place/],
    [
      'two at the end',
      { images: [start, { image_url: url, at: 'end' }, { upload_id: 'upl_1', at: 'end' }] },
      /^images\.2/,
    ],
    ['no picture in one', { images: [{ frame: 0 }] }, /^images\.0\.image_url give one of/],
    ['two pictures in one', { images: [{ ...start, upload_id: 'upl_1' }] }, /^images\.0\.image_url give only one/],
    ['no place', { images: [{ image_url: url }] }, /^images\.0\.frame give one of "frame", "at" and "seconds"/],
    ['two places', { images: [{ ...start, frame: 0 }] }, /^images\.0\.frame give only one/],
    ['half a frame', { images: [start, { image_url: url, frame: 3.5 }] }, /^images\.1\.frame must be a whole number/],
    [
      'a frame before the first',
      { images: [start, { image_url: url, frame: -8 }] },
      /^images\.1\.frame must be at least 0/,
    ],
    [
      'two at the end, one of them by seconds',
      { images: [start, { image_url: url, at: 'end' }, { image_url: url, seconds: 5 }] },
      /^images\.2 stands at the same frame as another/,
    ],
    [
      'two at one frame, where the frames a second are known',
      { fps: 24, images: [start, { image_url: url, frame: 60 }, { image_url: url, seconds: 2.5 }] },
      /^images\.2 stands at the same frame as another/,
    ],
    [
      'a frame after the last one',
      { fps: 24, images: [start, { image_url: url, frame: 121 }] },
      /^images\.1 stands at frame 121, but the video's last frame is 120/,
    ],
    [
      'a frame that no model has',
      { images: [start, { image_url: url, frame: 301 }] },
      /^images\.1 stands at frame 301, but the video's last frame is at most 296, at 60 frames a second/,
    ],
    [
      'a second after the end',
      { duration: 2, images: [start, { image_url: url, seconds: 2.1 }] },
      /^images\.1 stands at 2\.1 s, but the video ends after 2 s/,
    ],
    ['too strong', { images: [{ ...start, strength: 1.7 }] }, /^images\.0\.strength must be at most 1/],
    [
      'a file URL',
      { images: [{ image_url: 'file:///etc/passwd', frame: 0 }] },
      /^images\.0\.image_url must be an http/,
    ],
  ])('not %s', (_name, request, message) => {
    expect(problem(request)).toMatch(message)
  })

  test('metadata of 8 kB, and no more', () => {
    const sized = (bytes: number) => ({ image_url: url, metadata: { note: 'x'.repeat(bytes - '{"note":""}'.length) } })
    expect(problem(sized(MAX_METADATA_BYTES))).toBeUndefined()
    expect(problem(sized(MAX_METADATA_BYTES + 1))).toMatch(/^metadata must have at most 8192 bytes as JSON, not 8193/)
    expect(problem({ image_url: url, metadata: ['a list'] })).toMatch(/^metadata must be an object/)
  })
})

test('a place means a frame', () => {
  const video = { num_frames: 121, fps: 25 }
  expect(frameOf({ frame: 7 }, video)).toBe(7)
  expect(frameOf({ at: 'start' }, video)).toBe(0)
  expect(frameOf({ at: 'end' }, video)).toBe(120)
  expect(frameOf({ seconds: 2.5 }, video)).toBe(63)
  // 5 s at 25 frames a second end at frame 120, not 125: the last second is the last frame. A later one is not.
  expect(frameOf({ seconds: 5 }, video)).toBe(120)
  expect(frameOf({ seconds: 5.2 }, video)).toBe(130)
})
