import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { Fields } from '../../../weights/config-fields.ts'
import { openCheckpoint, openLatentUpsampler, readModelIndex, type Checkpoint } from './checkpoint.ts'
import { passSizes } from './generate.ts'
import { promptShape } from './recipe.ts'
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
  // configs/*.yaml and the script of Lightricks/LTX-Video, as test/fixtures/ltx/authors-configs.json has them: every number of a recipe is compared.
  const { configs, script } = JSON.parse(await readFile(join(fixtures, 'authors-configs.json'), 'utf8'))
  const pairs = recipes
    .filter(({ follows }) => follows === 'authors')
    .flatMap((recipe) => recipe.sources.map((file) => ({ name: recipe.name, file, recipe })))

  test('every config has its recipe', () => {
    expect(pairs.map(({ file }) => file).toSorted()).toEqual(Object.keys(configs).toSorted())
  })

  test.each(pairs)('$name: $file', ({ file, recipe }) => {
    const config = configs[file]
    expect(recipe).toMatchObject({
      perturbationMode: config.stg_mode.replace('_', '-'),
      decodeTimestep: config.decode_timestep,
      decodeNoise: config.decode_noise_scale,
      stochastic: config.stochastic_sampling,
      imageCrf: script.crf,
      imageNoise: script.image_cond_noise_scale,
      maximumTokens: script.text_encoder_max_tokens,
      negativePrompt: script.negative_prompt,
    })
    const first = config.first_pass ?? config
    expect(recipe.first).toEqual(passOf(first))
    expect(recipe.guidance).toEqual(guidanceOf(first))
    expect(recipe.multiScale).toEqual(
      config.second_pass && {
        downscale: config.downscale_factor,
        adain: script.adain_factor,
        toneMap: config.second_pass.tone_map_compression_ratio ?? 0,
        second: passOf(config.second_pass),
        guidance: guidanceOf(config.second_pass),
      },
    )
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

/** The guidance of a pass of theirs, as their pipeline reads it: numbers or lists by `guidance_timesteps`, the block list flat or one for each. */
function guidanceOf(pass: {
  guidance_timesteps?: number[]
  guidance_scale: number | number[]
  stg_scale: number | number[]
  rescaling_scale: number | number[]
  skip_block_list?: number[] | number[][]
  cfg_star_rescale?: boolean
}) {
  const at = (value: number | number[], index: number) => (Array.isArray(value) ? value[index]! : value)
  return (pass.guidance_timesteps ?? [1]).map((from, index) => {
    const stg = at(pass.stg_scale, index)
    const rescale = at(pass.rescaling_scale, index)
    const blocks = pass.skip_block_list ?? []
    return {
      from,
      scale: at(pass.guidance_scale, index),
      ...(pass.cfg_star_rescale && { star: true }),
      // do_spatio_temporal_guidance = stg_scale > 0
      ...(stg > 0 && { perturbation: { scale: stg, blocks: Array.isArray(blocks[0]) ? blocks[index] : blocks } }),
      // do_rescaling = rescaling_scale != 1, and inside of the guidance by blocks only
      rescale: stg > 0 && rescale !== 1 ? rescale : 0,
    }
  })
}

describe('as diffusers does it', () => {
  test('each recipe of the authors is there under a name of its own', () => {
    const names = (follows: string) => recipes.filter((recipe) => recipe.follows === follows).map(({ name }) => name)
    expect(names('diffusers')).toEqual(names('authors').map((name) => `diffusers-${name}`))
    expect(chooseRecipe(newer, 'diffusers-2b-0.9.5').follows).toBe('diffusers')
  })

  test('it is only chosen by name', () => {
    for (const name of ['diffusers', 'diffusers-2b-0.9.5', 'LTX-Video-0.9.5-diffusers'])
      expect(chooseRecipe({ ...newer, name }).follows).toBe('authors')
  })

  test('without guidance by blocks, whose rescaling then belongs to the guidance by the prompt', () => {
    expect(chooseRecipe(newer, 'diffusers-2b-0.9.5')).toMatchObject({
      first: { steps: 40 },
      guidance: [{ from: 1, scale: 3, rescale: 0.7 }],
      imageCrf: 0,
      imageNoise: 0.15,
      maximumTokens: 256,
    })
    expect(chooseRecipe(newer, 'diffusers-13b-dev').guidance).toEqual([
      { from: 1, scale: 1, rescale: 0 },
      { from: 0.996, scale: 1, rescale: 0 },
      { from: 0.9933, scale: 6, rescale: 0.5 },
      { from: 0.985, scale: 8, rescale: 0.5 },
      { from: 0.9767, scale: 6, rescale: 0 },
      { from: 0.9008, scale: 1, rescale: 0 },
      { from: 0.618, scale: 1, rescale: 0 },
    ])
  })

  test('its older pipeline takes 128 tokens, reads the padding, and puts no noise on the picture', () => {
    const recipe = chooseRecipe(older, 'diffusers-2b-0.9.0')
    expect(recipe).toMatchObject({ maximumTokens: 128, imageNoise: 0 })
    expect(promptShape(recipe, older)).toEqual({ maximum: 128, paddingIsRead: true })
    expect(promptShape(chooseRecipe(older, '2b-0.9.0'), older)).toEqual({ maximum: 256, paddingIsRead: false })
    expect(promptShape(chooseRecipe(newer, 'diffusers-2b-0.9.5'), newer).paddingIsRead).toBe(false)
  })
})
