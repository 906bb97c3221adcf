import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeVideo } from './encode.ts'
import { findFfmpeg } from './ffmpeg.ts'
import type { Frame } from './frame.ts'

const run = promisify(execFile)
const { path: bundled } = createRequire(import.meta.url)('@ffmpeg-installer/ffmpeg') as { path: string }

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kinora-encode-test-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

function* plain(count: number, width: number, height: number, colour: [number, number, number]): Generator<Frame> {
  const data = new Uint8Array(width * height * 3)
  for (let index = 0; index < data.length; index++) data[index] = colour[index % 3] ?? 0
  for (let index = 0; index < count; index++) yield { width, height, data }
}

/** Decodes the video with BT.709 and gives the raw RGB frames. */
async function decode(ffmpeg: string, file: string): Promise<Buffer> {
  const { stdout } = await run(
    ffmpeg,
    [
      '-v',
      'error',
      '-i',
      file,
      '-vf',
      'scale=in_color_matrix=bt709:in_range=tv',
      '-f',
      'rawvideo',
      '-pix_fmt',
      'rgb24',
      '-',
    ],
    { encoding: 'buffer', maxBuffer: 1 << 28 },
  )
  return stdout
}

describe.each(['the ffmpeg found here', 'the npm package of 2018'])('%s', (which) => {
  const find = () => findFfmpeg({ env: which.startsWith('the npm') ? { FFMPEG_PATH: bundled } : process.env })

  test('every frame arrives, in its colours, in a file that starts playing before it is whole', async () => {
    const ffmpeg = await find()
    const output = join(folder, 'out.mp4')
    const count = await encodeVideo(plain(25, 128, 64, [30, 200, 60]), {
      ffmpeg,
      output,
      width: 128,
      height: 64,
      fps: 24,
    })
    expect(count).toBe(25)
    const frames = await decode(ffmpeg.path, output)
    expect(frames.length).toBe(25 * 128 * 64 * 3)
    for (const [index, value] of [30, 200, 60].entries()) {
      expect(Math.abs((frames[frames.length / 2 + index] ?? 0) - value)).toBeLessThanOrEqual(3)
    }
    const file = await readFile(output)
    expect(file.indexOf('moov')).toBeLessThan(file.indexOf('mdat'))
    expect(file.indexOf('avc1')).toBeGreaterThan(0)
    const { stderr } = await run(ffmpeg.path, ['-hide_banner', '-i', output]).catch(
      (error: { stderr: string }) => error,
    )
    expect(stderr).toMatch(/h264 \(High\).*yuv420p\(tv, bt709.*128x64.*24 fps/)
  })
})

test('frames are made no faster than ffmpeg takes them', async () => {
  const ffmpeg = await findFfmpeg()
  let made = 0
  let ahead = 0
  function* counted(): Generator<Frame> {
    for (const frame of plain(40, 512, 512, [1, 2, 3])) {
      made += 1
      yield frame
    }
  }
  await encodeVideo(counted(), {
    ffmpeg,
    output: join(folder, 'out.mp4'),
    width: 512,
    height: 512,
    fps: 24,
    onFrame: (_, index) => (ahead = Math.max(ahead, made - index)),
  })
  expect(made).toBe(40)
  expect(ahead).toBe(1)
})

test('when aborted, ffmpeg is gone and the reason is thrown', async () => {
  const ffmpeg = await findFfmpeg()
  const controller = new AbortController()
  const encoding = encodeVideo(plain(100_000, 512, 512, [1, 2, 3]), {
    ffmpeg,
    output: join(folder, 'out.mp4'),
    width: 512,
    height: 512,
    fps: 24,
    signal: controller.signal,
    onFrame: (_, index) => index === 5 && controller.abort(new Error('the job was canceled')),
  })
  await expect(encoding).rejects.toThrow('the job was canceled')
})

test("an engine's error passes through", async () => {
  const ffmpeg = await findFfmpeg()
  function* broken(): Generator<Frame> {
    yield* plain(2, 64, 64, [0, 0, 0])
    throw new Error('the weights are broken')
  }
  const options = { ffmpeg, output: join(folder, 'out.mp4'), width: 64, height: 64, fps: 24 }
  await expect(encodeVideo(broken(), options)).rejects.toThrow('the weights are broken')
})

test("ffmpeg's own words are in its error", async () => {
  const ffmpeg = await findFfmpeg()
  const options = { ffmpeg, output: join(folder, 'missing', 'out.mp4'), width: 512, height: 512, fps: 24 }
  await expect(encodeVideo(plain(100, 512, 512, [0, 0, 0]), options)).rejects.toMatchObject({
    code: 'encode_failed',
    message: expect.stringMatching(/No such file or directory/),
  })
})

test('a frame of the wrong size is refused', async () => {
  const ffmpeg = await findFfmpeg()
  const options = { ffmpeg, output: join(folder, 'out.mp4'), width: 64, height: 64, fps: 24 }
  await expect(encodeVideo(plain(1, 32, 64, [0, 0, 0]), options)).rejects.toThrow(/frame 0 as 32x64.*64x64/)
})
