import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import type { Picture } from '../../../media/frame.ts'
import { findCases, runCase } from './run.ts'

const fixtures = fileURLToPath(new URL('../../../../test/fixtures/ltx', import.meta.url))
const cases = await findCases(fixtures)

async function decodePicture(bytes: Uint8Array): Promise<Picture> {
  const { data, info } = await sharp(bytes).removeAlpha().raw().toBuffer({ resolveWithObject: true })
  return { width: info.width, height: info.height, data }
}

test('there are cases of every kind', () => {
  expect(cases).toEqual(['latent-upsampler', 'v090', 'v091', 'v095', 'v095-f8', 'v095-keyframes', 'v095-single-file'])
})

describe.each(cases)('%s', (name) => {
  test('every piece and the whole video agree with diffusers in float32', async () => {
    const results = await runCase(fixtures, name, { decodePicture })
    expect(results.length).toBeGreaterThan(15)
    expect(results.filter((result) => !result.pass)).toEqual([])
  })

  test('the fp16 graphs, on the CPU, give the same video to 40 dB', async () => {
    const results = await runCase(fixtures, name, { decodePicture, compute: 'float16' })
    expect(results.length).toBeGreaterThan(15)
    expect(results.filter((result) => !result.pass)).toEqual([])
  })
})
