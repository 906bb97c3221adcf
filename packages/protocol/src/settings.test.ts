import { describe, expect, test } from 'vitest'
import {
  frameCount,
  frameSize,
  MAX_FRAME_PIXELS,
  MAX_FRAMES,
  type Recipe,
  resolveSettings,
  ResolvedSettings,
  SIDE,
  SIZE_STEP,
} from './index.ts'

/** Deterministic numbers in [0, 1), so that a failure can be repeated (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

function expectLegal({ width, height }: { width: number; height: number }, from: string): void {
  expect(width % SIZE_STEP, from).toBe(0)
  expect(height % SIZE_STEP, from).toBe(0)
  expect(Math.min(width, height), from).toBeGreaterThanOrEqual(SIDE.min)
  expect(Math.max(width, height), from).toBeLessThanOrEqual(SIDE.max)
  expect(width * height, from).toBeLessThanOrEqual(MAX_FRAME_PIXELS)
}

describe('the size of a video nobody gave a size for', () => {
  test.each([
    ['16:9', 1920, 1080, 1024, 576],
    ['a 4K photograph', 3840, 2160, 1024, 576],
    ['portrait 9:16', 1080, 1920, 576, 1024],
    ['square', 1000, 1000, 768, 768],
    ['4:3', 4000, 3000, 896, 672],
    ['3:2', 6000, 4000, 928, 640],
  ])('%s: %ix%i becomes %ix%i', (_name, width, height, expectedWidth, expectedHeight) => {
    expect(frameSize({ width, height })).toEqual({ width: expectedWidth, height: expectedHeight })
  })

  test.each([
    ['ten times as wide as high', 10_000, 1000, 1536, 384],
    ['ten times as high as wide', 1000, 10_000, 384, 1536],
    ['four times as wide, the last that is kept whole', 4000, 1000, 1536, 384],
    ['a little less', 3000, 1000, 1344, 448],
  ])('%s: %ix%i becomes %ix%i, never a ribbon', (_name, width, height, expectedWidth, expectedHeight) => {
    expect(frameSize({ width, height })).toEqual({ width: expectedWidth, height: expectedHeight })
  })

  test('any picture at all gives a legal size near the area of 1024x576, and not far from its own shape', () => {
    const random = randomNumbers(1)
    for (let round = 0; round < 5000; round++) {
      const picture = {
        width: Math.ceil(2 ** (random() * 15)),
        height: Math.ceil(2 ** (random() * 15)),
      }
      const size = frameSize(picture)
      expectLegal(size, JSON.stringify(picture))
      expect((size.width * size.height) / (1024 * 576)).toBeGreaterThan(0.85)
      expect((size.width * size.height) / (1024 * 576)).toBeLessThan(1.15)
      const aspect = picture.width / picture.height
      if (aspect >= 1 / 4 && aspect <= 4) {
        expect(Math.abs(Math.log(size.width / size.height / aspect)), JSON.stringify(picture)).toBeLessThan(0.12)
      }
    }
  })
})

test('one side that was asked for is kept, and the other follows legally', () => {
  const random = randomNumbers(2)
  for (let round = 0; round < 5000; round++) {
    const picture = { width: Math.ceil(2 ** (random() * 14)), height: Math.ceil(2 ** (random() * 14)) }
    const side = SIDE.min + SIZE_STEP * Math.floor(random() * ((SIDE.max - SIDE.min) / SIZE_STEP + 1))
    const wide = frameSize(picture, { width: side })
    expect(wide.width).toBe(side)
    expectLegal(wide, JSON.stringify({ picture, side }))
    const high = frameSize(picture, { height: side })
    expect(high.height).toBe(side)
    expectLegal(high, JSON.stringify({ picture, side }))
  }
  expect(frameSize({ width: 10, height: 10 }, { width: 512, height: 256 })).toEqual({ width: 512, height: 256 })
})

test('frames are 8k+1, as the original contract counts them, and within the limit', () => {
  expect(frameCount(5, 24)).toBe(121)
  expect(frameCount(10, 60)).toBe(MAX_FRAMES)
  for (let duration = 1; duration <= 10; duration++) {
    for (let fps = 8; fps <= 60; fps++) {
      const frames = frameCount(duration, fps)
      expect(frames % 8).toBe(1)
      expect(frames).toBe(Math.floor((duration * fps) / 8) * 8 + 1)
      expect(frames).toBeLessThanOrEqual(MAX_FRAMES)
    }
  }
})

describe('settings: the request first, then the recipe, then the contract', () => {
  const picture = { width: 1920, height: 1080 }
  const ltx: Recipe = { steps: 40, guidance_scale: 3, fps: 25, width: 768, height: 512 }

  test('the contract alone', () => {
    expect(resolveSettings({ duration: 5, seed: 7 }, {}, picture)).toEqual({
      prompt: 'A smooth cinematic video',
      duration: 5,
      seed: 7,
      width: 1024,
      height: 576,
      fps: 24,
      num_frames: 121,
    })
  })

  test('a recipe fills what the request leaves open', () => {
    const settings = resolveSettings({ duration: 4, seed: 7, prompt: ' waves ' }, ltx, picture)
    expect(settings).toMatchObject({ width: 768, height: 512, fps: 25, steps: 40, guidance_scale: 3, num_frames: 97 })
    expect(settings).toMatchObject({ prompt: 'waves', negative_prompt: 'blurry, low quality, distorted' })
  })

  test('the request wins; a size in the request is not mixed with one in the recipe', () => {
    const asked = { duration: 1, seed: 7, width: 512, fps: 8, steps: 1, guidance_scale: 0, negative_prompt: '' }
    expect(resolveSettings(asked, ltx, picture)).toMatchObject({
      width: 512,
      height: 288,
      fps: 8,
      steps: 1,
      guidance_scale: 0,
      negative_prompt: '',
      num_frames: 9,
    })
  })

  test('an empty prompt is no prompt', () => {
    expect(resolveSettings({ duration: 5, seed: 1, prompt: '   ' }, { prompt: 'Slow zoom' }, picture).prompt).toBe(
      'Slow zoom',
    )
  })

  test('whatever is asked for, the result is a legal message', () => {
    const random = randomNumbers(3)
    for (let round = 0; round < 1000; round++) {
      const request = { duration: 1 + Math.floor(random() * 10), seed: Math.floor(random() * 2 ** 32) }
      const size = { width: Math.ceil(random() * 9000), height: Math.ceil(random() * 9000) }
      const settings = resolveSettings(request, random() < 0.5 ? ltx : {}, size)
      expect(ResolvedSettings.safeParse(settings).error).toBeUndefined()
    }
  })
})
