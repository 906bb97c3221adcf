/** What reaches the decoder: the arithmetic before it is all that the two ways differ in. */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { seededDraws, type Draws } from '../../../flow/draws.ts'
import { float32Tensor } from '../../../onnx/index.ts'
import { openCheckpoint, openLatentUpsampler, type Checkpoint } from './checkpoint.ts'
import { planDecoding } from '../vae/decoding.ts'
import { readyForDecoder } from './decode.ts'
import type { Recipe } from './recipe.ts'
import { chooseRecipe } from './recipes.ts'

const fixtures = fileURLToPath(new URL('../../../../test/fixtures/ltx', import.meta.url))
let checkpoint: Checkpoint
beforeAll(async () => {
  const upsampler = await openLatentUpsampler(join(fixtures, 'latent-upsampler', 'checkpoint', 'latent_upsampler'))
  const opened = await openCheckpoint({ path: join(fixtures, 'v095', 'checkpoint') })
  const channels = opened.vae.config.latentChannels
  const latents = {
    mean: new Float32Array(channels).fill(5),
    std: new Float32Array(channels).fill(2),
    scalingFactor: 1,
  }
  checkpoint = { ...opened, latents, upsampler }
})

/** Latents of 3 and draws of 1 everywhere; gives what the decoder got, which is one value everywhere. */
function decoded(recipe: Recipe, of: Checkpoint = checkpoint): { value: number; timestep: number; draws: number } {
  const shape = [1, of.vae.config.latentChannels, 1, 1, 1]
  const filled = (sizes: readonly number[], value: number) =>
    float32Tensor(sizes, new Float32Array(sizes.reduce((product, size) => product * size, 1)).fill(value))
  let drawn = 0
  const draws: Draws = {
    ...seededDraws(1),
    normal: (sizes) => {
      drawn++
      return filled(sizes, 1)
    },
  }
  const input = readyForDecoder({ checkpoint: of }, filled(shape, 3), recipe, draws)
  const models = { checkpoint: of, provider: 'cpu', decoderNoises: [] } as const
  const { latents } = planDecoding(models, input.latents, input.noise, draws, {}).tile(0, 0, 0)
  expect(new Set(latents.data).size).toBe(1)
  return { value: latents.data[0]!, timestep: input.noise.decodeTimestep, draws: drawn }
}

const half = (name: string): Recipe => ({ ...chooseRecipe(checkpoint, name), decodeNoise: 0.5 })

describe('noise for the decoder', () => {
  test('the authors mix it into normalised latents: (3 + 1) / 2, then times 2 plus 5', () => {
    expect(decoded(half('2b-0.9.5'))).toEqual({ value: 9, timestep: 0.05, draws: 1 })
  })

  test('diffusers mixes it into denormalised ones: (3 · 2 + 5 + 1) / 2', () => {
    expect(decoded(half('diffusers-2b-0.9.5'))).toEqual({ value: 6, timestep: 0.05, draws: 1 })
  })

  test('a decoder that is told no timestep gets none', () => {
    const { vae } = checkpoint
    const config = { ...vae.config, decoder: { ...vae.config.decoder, timestepConditioning: false } }
    expect(decoded(half('2b-0.9.5'), { ...checkpoint, vae: { ...vae, config } })).toMatchObject({
      value: 11,
      draws: 0,
    })
  })
})

describe('strong latents of 13b-distilled', () => {
  test('are compressed after the second pass, noise and all, before they are denormalised', () => {
    // 2, of which sigmoid(1.8 · 1) = 0.858149 of 0.36 goes: 1.382133, times 2 plus 5
    expect(decoded(half('13b-distilled')).value).toBeCloseTo(7.764265, 4)
  })

  test('not where there was one pass only', () => {
    const { upsampler: _, ...alone } = checkpoint
    expect(decoded(half('13b-distilled'), alone).value).toBe(9)
  })

  test('nor here by diffusers, which has done it before the second pass', () => {
    expect(decoded(half('diffusers-13b-distilled')).value).toBe(6)
  })
})
