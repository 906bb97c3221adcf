import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { Fields } from '../../../weights/config-fields.ts'
import { openCheckpoint, openLatentUpsampler, readModelIndex, type Checkpoint } from './checkpoint.ts'
import { passSizes } from './generate.ts'
import { chooseRecipe, recipes } from './recipes.ts'

const fixtures = fileURLToPath(new URL('../../../../test/fixtures/ltx', import.meta.url))
let older: Checkpoint
let newer: Checkpoint
beforeAll(async () => {
  older = await openCheckpoint({ path: join(fixtures, 'v090', 'checkpoint') })
  newer = await openCheckpoint({ path: join(fixtures, 'v095', 'checkpoint') })
})

describe('a recipe is found by the name of the checkpoint', () => {
  test.each([
    ['Lightricks/LTX-Video-0.9.5', '2b-0.9.5'],
    ['ltxv-2b-0.9.6-dev-04-25.safetensors', '2b-0.9.5'],
    ['ltxv-2b-0.9.6-distilled-04-25.safetensors', '2b-0.9.6-distilled'],
    ['Lightricks/LTX-Video:ltxv-2b-0.9.8-distilled.safetensors', '2b-0.9.8-distilled'],
    ['ltxv-13b-0.9.8-distilled.safetensors', '13b-distilled'],
    ['Lightricks/LTX-Video-0.9.7-distilled', '13b-distilled'],
    ['Lightricks/LTX-Video-0.9.7-dev', '13b-dev'],
    ['ltxv-13b-0.9.8-dev.safetensors', '13b-dev'],
  ])('%s: %s', (name, recipe) => {
    expect(chooseRecipe({ ...newer, name }).name).toBe(recipe)
  })

  test.each([
    ['Lightricks/LTX-Video', '2b-0.9.0'],
    ['ltx-video-2b-v0.9.safetensors', '2b-0.9.0'],
    ['ltx-video-2b-v0.9.1.safetensors', '2b-0.9.1'],
  ])('%s: %s', (name, recipe) => {
    expect(chooseRecipe({ ...older, name }).name).toBe(recipe)
  })
})

describe('where the name says nothing, the configs decide', () => {
  test('by kind, size and allowed sigmas', () => {
    expect(chooseRecipe({ ...older, name: 'mine' }).name).toBe('2b-0.9.0')
    expect(chooseRecipe({ ...newer, name: 'mine' }).name).toBe('2b-0.9.5')
    expect(chooseRecipe({ ...newer, name: 'mine', allowedSigmas: [1, 0.9937] }).name).toBe('2b-0.9.8-distilled')
    const large = {
      ...newer,
      name: 'mine',
      transformer: { ...newer.transformer, config: { ...newer.transformer.config, headSize: 128 } },
    }
    expect(chooseRecipe(large).name).toBe('13b-dev')
  })

  test('a name that contradicts them is not believed', () => {
    expect(chooseRecipe({ ...older, name: 'ltxv-2b-0.9.8-distilled' }).name).toBe('2b-0.9.0')
  })
})

test('names of recipes are their own', () => {
  expect(new Set(recipes.map((recipe) => recipe.name)).size).toBe(recipes.length)
})

describe('pipelines', () => {
  test('another model is refused by name', () => {
    expect(() => readModelIndex(new Fields('model_index.json', { _class_name: 'FluxPipeline' }))).toThrow(
      /FluxPipeline, which the ltx engine cannot run/,
    )
  })
})

describe("numbers are the authors'", async () => {
  // configs/*.yaml of Lightricks/LTX-Video, field by field, as test/fixtures/ltx/authors-configs.json says: a recipe's numbers are compared with them.
  const { configs } = JSON.parse(await readFile(join(fixtures, 'authors-configs.json'), 'utf8'))
  const pairs = [
    ['2b-0.9.0', 'ltxv-2b-0.9.yaml'],
    ['2b-0.9.1', 'ltxv-2b-0.9.1.yaml'],
    ['2b-0.9.5', 'ltxv-2b-0.9.5.yaml'],
    ['2b-0.9.5', 'ltxv-2b-0.9.6-dev.yaml'],
    ['2b-0.9.6-distilled', 'ltxv-2b-0.9.6-distilled.yaml'],
    ['2b-0.9.8-distilled', 'ltxv-2b-0.9.8-distilled.yaml'],
    ['13b-dev', 'ltxv-13b-0.9.8-dev.yaml'],
    ['13b-distilled', 'ltxv-13b-0.9.8-distilled.yaml'],
  ] as const

  test('of every recipe', () => {
    expect(new Set(pairs.map(([name]) => name))).toEqual(new Set(recipes.map(({ name }) => name)))
  })

  test.each(pairs)('%s: %s', (name, file) => {
    const recipe = recipes.find((one) => one.name === name)!
    const config = configs[file]
    const first = config.first_pass ?? config
    expect(recipe).toMatchObject({
      decodeTimestep: config.decode_timestep,
      decodeNoise: config.decode_noise_scale,
      stochastic: config.stochastic_sampling,
    })
    expect(recipe.first).toEqual(passOf(first))
    expect(recipe.multiScale?.downscale).toBe(config.downscale_factor)
    expect(recipe.multiScale?.second).toEqual(config.second_pass && passOf(config.second_pass))
    expect(recipe.multiScale?.toneMap ?? 0).toBe(config.second_pass?.tone_map_compression_ratio ?? 0)
    const each = (value: number | number[]) => (Array.isArray(value) ? value : recipe.guidance.map(() => value))
    expect(recipe.guidance.map(({ from }) => from)).toEqual(first.guidance_timesteps ?? [1])
    expect(recipe.guidance.map(({ scale }) => scale)).toEqual(each(first.guidance_scale))
    // A rescale is of guidance; where there is none, theirs says 1, which is off.
    const guided = recipe.guidance.some(({ scale }) => scale > 1)
    expect(recipe.guidance.map(({ rescale }) => rescale)).toEqual(guided ? each(first.rescaling_scale) : [0])
  })

  test('the first pass of 768x512 is 480x320, as int(768 * 0.6666666) less its rest by 32', async () => {
    const recipe = recipes.find(({ name }) => name === '13b-distilled')!
    const upsampler = await openLatentUpsampler(join(fixtures, 'latent-upsampler', 'checkpoint', 'latent_upsampler'))
    const models = { checkpoint: { ...newer, upsampler } }
    expect(passSizes(models, { width: 768, height: 512, recipe })).toEqual({
      first: { width: 480, height: 320 },
      second: { width: 960, height: 640 },
    })
  })
})

/** A pass of theirs as one of ours. */
function passOf(pass: {
  timesteps?: number[]
  num_inference_steps?: number
  skip_initial_inference_steps?: number
  skip_final_inference_steps?: number
}) {
  if (pass.timesteps !== undefined) return { sigmas: pass.timesteps }
  return {
    steps: pass.num_inference_steps,
    ...(pass.skip_initial_inference_steps && { skipFirst: pass.skip_initial_inference_steps }),
    ...(pass.skip_final_inference_steps && { skipLast: pass.skip_final_inference_steps }),
  }
}
