import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import type { Picture } from './frame.ts'
import { findH264RoundTrip, type H264RoundTrip } from './h264-round-trip.ts'

const photo = fileURLToPath(new URL('../../../../examples/assets/chelsea.jpg', import.meta.url))
let picture: Picture
let roundTrip: H264RoundTrip
beforeAll(async () => {
  const { data, info } = await sharp(photo).extract({ left: 0, top: 0, width: 450, height: 300 }).raw().toBuffer({
    resolveWithObject: true,
  })
  picture = { width: info.width, height: info.height, data }
  roundTrip = await findH264RoundTrip()
})
afterEach(() => void vi.unstubAllEnvs())

/** Decibels: the higher, the more alike. */
function psnr(a: Picture, b: Picture): number {
  expect([b.width, b.height, b.data.length]).toEqual([a.width, a.height, a.data.length])
  let squares = 0
  for (const [index, value] of a.data.entries()) squares += (value - b.data[index]!) ** 2
  return 10 * Math.log10(255 ** 2 / (squares / a.data.length))
}

describe('a photograph through H.264', () => {
  // What the authors' way through PyAV (libx264, preset veryfast, one frame, yuv420p and back) makes of this very picture: recorded with PyAV 18.1.
  test.each([
    [18, 41.68],
    [29, 36.63],
    [45, 28.61],
  ])("at CRF %i it loses as much as in the authors' script: %f dB", async (crf, recorded) => {
    const came = await roundTrip(picture, crf)
    expect(Math.abs(psnr(picture, came) - recorded)).toBeLessThan(0.5)
  })

  test('its colours move as little as there, and to the same side', async () => {
    const came = await roundTrip(picture, 29)
    const mean = ({ data }: Picture, channel: number) => {
      let sum = 0
      for (let index = channel; index < data.length; index += 3) sum += data[index]!
      return sum / (data.length / 3)
    }
    // With another matrix on one of the two ways, red and blue would be off by several steps.
    for (const [channel, recorded] of [-1.01, -1.39, -1.12].entries())
      expect(Math.abs(mean(came, channel) - mean(picture, channel) - recorded)).toBeLessThan(0.3)
  })
})

test('odd sides lose their last row and column', async () => {
  const odd = { width: 5, height: 3, data: new Uint8Array(45).fill(90) }
  expect(await roundTrip(odd, 29)).toMatchObject({ width: 4, height: 2 })
  await expect(roundTrip({ width: 1, height: 9, data: new Uint8Array(27) }, 29)).rejects.toMatchObject({
    code: 'image_invalid',
    message: expect.stringMatching(/1x9 pixels is too small/),
  })
})

describe('where it cannot be', () => {
  let folder: string
  async function ffmpegThat(script: string) {
    folder = await mkdtemp(join(tmpdir(), 'kinora-ffmpeg-'))
    const path = join(folder, 'ffmpeg')
    await writeFile(path, `#!/bin/sh\n${script}\n`)
    await chmod(path, 0o755)
    vi.stubEnv('FFMPEG_PATH', path)
  }
  afterEach(() => rm(folder, { recursive: true }))

  test('an ffmpeg with another encoder only is said to lack libx264', async () => {
    await ffmpegThat(
      `case "$*" in *rawvideo*) cat > /dev/null;; *) echo 'ffmpeg version 7.0'; echo ' V....D libopenh264 OpenH264';; esac`,
    )
    await expect(findH264RoundTrip()).rejects.toMatchObject({
      code: 'encode_failed',
      message: expect.stringMatching(/7\.0.*has no libx264.*FFMPEG_PATH/),
    })
  })

  test('an ffmpeg that fails is quoted', async () => {
    await ffmpegThat(
      `case "$*" in *rawvideo*) cat > /dev/null; echo 'no such codec' >&2; exit 1;; *) echo 'ffmpeg version 7.0'; echo ' V....D libx264 x264';; esac`,
    )
    await expect(findH264RoundTrip()).rejects.toMatchObject({
      code: 'encode_failed',
      message: expect.stringMatching(/no such codec/),
    })
  })
})
