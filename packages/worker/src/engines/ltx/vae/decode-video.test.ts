import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seededDraws } from '../../../flow/draws.ts'
import { createGenerator } from '../../../flow/torch-random.ts'
import { float32Tensor, type Float32Tensor } from '../../../onnx/index.ts'
import { Fields } from '../../../weights/config-fields.ts'
import { openCheckpoint } from '../ltx-video/checkpoint.ts'
import { readVaeConfig } from '../ltx-video/diffusers-config.ts'
import { createModels, type LtxModels } from '../ltx-video/models.ts'
import { compare } from '../parity/compare.ts'
import { decodeVideo } from './decode-video.ts'
import { decodeBytes, type DecodeOptions } from './decoding.ts'
import { spans } from './tiles.ts'

const fixtures = fileURLToPath(new URL('../../../../test/fixtures/ltx', import.meta.url))

/** A latent video that changes slowly from place to place, as real ones do; of 6 x 10 x 6 latents. */
function smoothLatents(channels: number) {
  const [frames, height, width] = [6, 10, 6]
  const phases = createGenerator(3).normal(channels)
  const latents = float32Tensor([1, channels, frames, height, width])
  let place = 0
  for (let channel = 0; channel < channels; channel++) {
    for (let frame = 0; frame < frames; frame++) {
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
          latents.data[place++] = Math.sin(frame / 3 + y / 4 + x / 5 + 5 * (phases[channel] ?? 0))
    }
  }
  return latents
}

describe.each(['v090', 'v091', 'v095'])('decoding the %s checkpoint in tiles', (name) => {
  let models: LtxModels
  let whole: Float32Tensor | undefined
  beforeAll(async () => {
    models = await createModels(await openCheckpoint({ path: join(fixtures, name, 'checkpoint') }), {
      keepLoaded: true,
    })
    whole = (await decode({}))[0]
  })
  afterAll(() => models.close())

  async function decode(options: DecodeOptions) {
    const chunks = []
    const latents = smoothLatents(models.checkpoint.vae.config.latentChannels)
    for await (const chunk of decodeVideo(
      models,
      latents,
      { decodeTimestep: 0.05, decodeNoise: 0 },
      seededDraws(1),
      options,
    ))
      chunks.push(chunk)
    return chunks
  }

  test('in space gives nearly the picture of the whole, without seams', async () => {
    const tiles = { time: [{ start: 0, length: 6 }], rows: spans(10, 8, 4), columns: [{ start: 0, length: 6 }] }
    const [tiled] = await decode({ tiles })
    expect(tiled?.shape).toEqual(whole?.shape)
    // Values are about -1..1, hence 6 dB more than for 0..1.
    expect(compare(tiled?.data ?? [], whole?.data ?? []).psnr + 6).toBeGreaterThan(30)
  })

  test('in time gives all frames, in order, as they are done', async () => {
    const chunks = await decode({
      tiles: { time: spans(6, 5, 3), rows: [{ start: 0, length: 10 }], columns: [{ start: 0, length: 6 }] },
    })
    expect(chunks.length).toBe(2)
    expect(chunks.reduce((sum, chunk) => sum + (chunk.shape[2] ?? 0), 0)).toBe(whole?.shape[2])
    const [first] = chunks
    const area = 10 * 32 * 6 * 32
    const frames = first?.shape[2] ?? 0
    for (let channel = 0; channel < 3; channel++) {
      const own = first?.data.subarray(channel * frames * area, (channel * frames + frames) * area) ?? []
      const expected = whole?.data.subarray(channel * 41 * area, (channel * 41 + frames) * area) ?? []
      expect(compare(own, expected).psnr + 6).toBeGreaterThan(30)
    }
  })

  test('a small memory budget leads to tiles by itself', async () => {
    const seen: number[] = []
    await decode({
      memory: decodeBytes(models.checkpoint.vae.config, { frames: 6, height: 8, width: 6 }),
      onTile: (_, tiles) => void seen.push(tiles),
    })
    expect(seen.length).toBe(seen[0])
    expect(seen.length).toBeGreaterThan(1)
  })
})

test('1024x576 with 121 frames is planned within the default budget of a CPU, at real channels', () => {
  const config = readVaeConfig(
    new Fields('VAE 0.9.5', {
      decoder_block_out_channels: [256, 512, 1024],
      upsample_factor: [2, 2, 2],
      decoder_spatio_temporal_scaling: [true, true, true],
      decoder_layers_per_block: [5, 5, 5, 5],
    }),
  )
  expect(decodeBytes(config, { frames: 16, height: 18, width: 32 }) / 2 ** 30).toBeGreaterThan(6)
})
