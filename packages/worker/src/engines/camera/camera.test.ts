import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { resolveSettings } from '@kinora/protocol'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { jitter, movements, toGray, type GrayFrame, type Movement } from '../../../test/registration.ts'
import type { Frame, Picture } from '../../media/frame.ts'
import { decodePicture, encodeVideo, findFfmpeg, frameToRgb } from '../../media/index.ts'
import type { Engine } from '../engine.ts'
import { createCameraEngine } from './index.ts'

const run = promisify(execFile)
const photograph = (name: string) =>
  readFile(new URL(`../../../../../examples/assets/${name}.jpg`, import.meta.url)).then((bytes) => decodePicture(bytes))

let engine: Engine
let coffee: Picture
beforeAll(async () => {
  engine = await createCameraEngine()
  coffee = await photograph('coffee')
})
afterAll(() => engine.close())

interface Wanted {
  picture?: Picture
  prompt: string
  seed?: number
  width?: number
  height?: number
  duration?: number
}

function film({
  picture = coffee,
  prompt,
  seed = 1,
  width = 448,
  height = 256,
  duration = 2,
}: Wanted): AsyncIterable<Frame> {
  const settings = resolveSettings({ prompt, seed, width, height, duration, fps: 24 }, engine.defaults, picture)
  return engine.generate({ picture, settings }, { signal: new AbortController().signal, progress: () => undefined })
}

async function* gray(frames: AsyncIterable<Frame>): AsyncGenerator<GrayFrame> {
  for await (const frame of frames) yield toGray(frameToRgb(frame), frame.width, frame.height)
}

/** All frames, as RGB. */
async function framesOf(wanted: Wanted): Promise<Picture[]> {
  const frames: Picture[] = []
  for await (const frame of film(wanted)) {
    frames.push({ width: frame.width, height: frame.height, data: frameToRgb(frame) })
  }
  return frames
}

/** How far the picture moved on the screen in all. */
async function movement(wanted: Wanted): Promise<Movement> {
  const moves = await movements(gray(film(wanted)))
  const sum = (part: keyof Movement) => moves.reduce((total, move) => total + move[part], 0)
  return { x: sum('x'), y: sum('y'), growth: sum('growth'), turn: sum('turn') }
}

describe('the words move the camera', () => {
  test('pan left: the picture moves to the right', async () => {
    const { x, y, growth, turn } = await movement({ prompt: 'pan left' })
    expect(x).toBeGreaterThan(15)
    expect(Math.abs(y)).toBeLessThan(0.5)
    expect(Math.abs(growth)).toBeLessThan(0.002)
    expect(Math.abs(turn)).toBeLessThan(0.002)
  })
  test('pan right', async () => expect((await movement({ prompt: 'pan right' })).x).toBeLessThan(-15))
  test('tilt up', async () => expect((await movement({ prompt: 'the camera tilts up' })).y).toBeGreaterThan(10))
  test('pan down', async () => expect((await movement({ prompt: 'pan down' })).y).toBeLessThan(-10))
  test('zoom in', async () => expect((await movement({ prompt: 'zoom in' })).growth).toBeGreaterThan(0.05))
  test('zoom out', async () => expect((await movement({ prompt: 'slowly zoom out' })).growth).toBeLessThan(-0.03))
  test('dolly in', async () => expect((await movement({ prompt: 'dolly in' })).growth).toBeGreaterThan(0.05))
  test('dolly out', async () =>
    expect((await movement({ prompt: 'the camera pulls back' })).growth).toBeLessThan(-0.05))
  test('rotate', async () => {
    expect((await movement({ prompt: 'rotate clockwise' })).turn).toBeGreaterThan(0.03)
    expect((await movement({ prompt: 'rotate counterclockwise' })).turn).toBeLessThan(-0.03)
  })
  test('static: every frame is the same', async () => {
    const frames = await framesOf({ prompt: 'static shot' })
    expect(frames.every((frame) => Buffer.compare(frame.data, frames[0]!.data) === 0)).toBe(true)
  })
  test('the same seed makes the same video, another one another', async () => {
    const last = async (seed: number) => (await framesOf({ prompt: 'zoom in', seed, duration: 1 })).at(-1)!.data
    expect(Buffer.compare(await last(7), await last(7))).toBe(0)
    expect(Buffer.compare(await last(7), await last(8))).not.toBe(0)
  })
})

describe('the camera moves smoothly', () => {
  const limit = 0.02

  test.each(['pan left', 'zoom in', 'dolly out', 'rotate clockwise', 'pan up and zoom out'])('%s', async (prompt) => {
    const moves = await movements(gray(film({ prompt, duration: 3 })))
    expect(moves).toHaveLength(72)
    expect(jitter(moves, 448, 256)).toBeLessThan(limit)
  })

  test('also in the finished mp4', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'kinora-camera-test-'))
    try {
      const output = join(folder, 'out.mp4')
      const ffmpeg = await findFfmpeg()
      const size = { width: 768, height: 448 }
      await encodeVideo(film({ ...size, prompt: 'zoom in and pan right', duration: 2 }), {
        ...size,
        ffmpeg,
        output,
        fps: 24,
      })
      const { stdout } = await run(
        ffmpeg.path,
        ['-v', 'error', '-i', output, '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-'],
        {
          encoding: 'buffer',
          maxBuffer: 1 << 28,
        },
      )
      const bytes = size.width * size.height * 3
      expect(stdout.length).toBe(bytes * 49)
      const frames = Array.from({ length: 49 }, (_, index) =>
        toGray(stdout.subarray(index * bytes, (index + 1) * bytes), size.width, size.height),
      )
      expect(jitter(await movements(frames), size.width, size.height)).toBeLessThan(limit)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
})

/** A picture with coloured borders one pixel wide would show black, or a border's colour, where a view left it. */
async function blank(width: number, height: number, colour: string): Promise<Picture> {
  const { data } = await sharp({ create: { width, height, channels: 3, background: colour } })
    .raw()
    .toBuffer({ resolveWithObject: true })
  return { width, height, data }
}

describe('pictures of any shape fill the frame', () => {
  test.each([
    ['a single pixel', 1, 1],
    ['tiny', 16, 9],
    ['portrait', 300, 500],
    ['a panorama', 3000, 200],
    ['a tower', 90, 2000],
    ['huge', 8660, 5773],
  ])('%s', async (_, width, height) => {
    const picture = await blank(width, height, '#4080c0')
    for (const prompt of ['', 'pan left', 'rotate']) {
      const frames = await framesOf({ picture, prompt, width: 256, height: 128, duration: 1 })
      expect(frames).toHaveLength(25)
      for (const frame of [frames[0]!, frames[12]!, frames[24]!]) {
        expect(frame).toMatchObject({ width: 256, height: 128 })
        for (let index = 0; index < frame.data.length; index += 3) {
          const far = [0x40, 0x80, 0xc0].some((value, part) => Math.abs(frame.data[index + part]! - value) > 2)
          if (far) {
            throw new Error(`${prompt}: pixel ${index / 3} is ${frame.data.subarray(index, index + 3).join()}`)
          }
        }
      }
    }
  })

  test('nothing is stretched: a circle stays round', async () => {
    const svg =
      '<svg width="600" height="900"><rect width="600" height="900"/><circle cx="300" cy="450" r="100" fill="#fff"/></svg>'
    const picture = await decodePicture(await sharp(Buffer.from(svg)).png().toBuffer())
    const [first] = await framesOf({ picture, prompt: 'static', width: 512, height: 512, duration: 1 })
    let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity]
    for (let index = 0; index < 512 * 512; index++) {
      if (first!.data[index * 3]! < 128) continue
      const [x, y] = [index % 512, Math.floor(index / 512)]
      left = Math.min(left, x)
      right = Math.max(right, x)
      top = Math.min(top, y)
      bottom = Math.max(bottom, y)
    }
    expect(Math.abs(right - left - (bottom - top))).toBeLessThanOrEqual(1)
    expect(Math.abs(right - left + 1 - (200 * 512) / 600)).toBeLessThanOrEqual(2)
  })

  test('without words a panorama is panned along', async () => {
    const wide = await sharp(coffee.data, { raw: { width: coffee.width, height: coffee.height, channels: 3 } })
      .extract({ left: 0, top: 120, width: 600, height: 160 })
      .raw()
      .toBuffer()
    const { x, growth } = await movement({ picture: { width: 600, height: 160, data: wide }, prompt: '' })
    expect(Math.abs(x)).toBeGreaterThan(20)
    expect(Math.abs(growth)).toBeLessThan(0.002)
  })
})

test('fine detail does not alias: stripes finer than the frame can show become grey', async () => {
  const [width, height] = [2000, 1000]
  const data = new Uint8Array(width * height * 3)
  for (let index = 0; index < data.length; index++) data[index] = Math.floor(index / 3) % 2 === 0 ? 0 : 255
  const frames = await framesOf({
    picture: { width, height, data },
    prompt: 'zoom in',
    width: 512,
    height: 256,
    duration: 1,
  })
  for (const frame of [frames[0]!, frames[24]!]) {
    // Away from the picture's own borders, where any filter rings.
    const row = frame.data.subarray(512 * 3 * 100 + 32 * 3, 512 * 3 * 101 - 32 * 3)
    expect(Math.max(...row) - Math.min(...row)).toBeLessThan(8)
  }
})

test('when aborted it stops with the reason', async () => {
  const controller = new AbortController()
  const settings = resolveSettings({ prompt: 'pan', seed: 1, width: 256, height: 128, duration: 5 }, {}, coffee)
  const frames = engine.generate(
    { picture: coffee, settings },
    { signal: controller.signal, progress: () => undefined },
  )
  const taken: Frame[] = []
  await expect(async () => {
    for await (const frame of frames) {
      taken.push(frame)
      if (taken.length === 3) controller.abort(new Error('canceled'))
    }
  }).rejects.toThrow('canceled')
  expect(taken).toHaveLength(3)
})
