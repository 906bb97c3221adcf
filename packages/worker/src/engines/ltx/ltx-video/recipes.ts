/**
 * The recipes of the known checkpoints, as their authors run them. Every number is theirs; where it stands is said beside it (Lightricks/LTX-Video at
 * 5260738), and recipes.test.ts compares each with a copy.
 */

import { EngineError } from '../../../failure.ts'
import { asDiffusersDoes } from './diffusers-recipe.ts'
import type { Checkpoint } from './checkpoint.ts'
import { fitToLayers, type GuidanceStep, type GuidanceSteps, type KnownRecipe, type Recipe } from './recipe.ts'

/** What all of the authors' configs say, and what their script does without being asked. */
const common = {
  follows: 'authors',
  // configs/*.yaml: stg_mode, decode_timestep, decode_noise_scale
  perturbationMode: 'attention-values',
  decodeTimestep: 0.05,
  decodeNoise: 0.025,
  // ltx_video/pipelines/crf_compressor.py: compress
  imageCrf: 29,
  // ltx_video/inference.py: InferenceConfig.image_cond_noise_scale, .negative_prompt
  imageNoise: 0.15,
  negativePrompt: 'worst quality, inconsistent motion, blurry, jittery, distorted',
  // ltx_video/pipelines/pipeline_ltx_video.py: text_encoder_max_tokens
  maximumTokens: 256,
  stochastic: false,
} as const satisfies Partial<Recipe>

/** A line of a config's guidance, in its own terms. */
interface AuthorsStep {
  readonly guidance_timestep: number
  readonly guidance_scale: number
  readonly stg_scale: number
  /** Of a guidance with STG only; 1 is off. */
  readonly rescaling_scale: number
  readonly skip_block_list: readonly number[]
}

function asTheirs(line: AuthorsStep, star: boolean): GuidanceStep {
  const { guidance_timestep: from, guidance_scale: scale, stg_scale, rescaling_scale, skip_block_list: blocks } = line
  return {
    from,
    scale,
    ...(star && { star }),
    ...(stg_scale > 0 && { perturbation: { scale: stg_scale, blocks } }),
    rescale: stg_scale > 0 && rescaling_scale !== 1 ? rescaling_scale : 0,
  }
}

function guidanceOf(
  [first, ...others]: readonly [AuthorsStep, ...AuthorsStep[]],
  { cfg_star_rescale = false } = {},
): GuidanceSteps {
  return [asTheirs(first, cfg_star_rescale), ...others.map((line) => asTheirs(line, cfg_star_rescale))]
}

/** configs/ltxv-2b-0.9.yaml, -0.9.1, -0.9.5, -0.9.6-dev: guidance_scale, stg_scale, rescaling_scale, skip_block_list, num_inference_steps */
const undistilled = {
  ...common,
  first: { steps: 40 },
  guidance: guidanceOf([
    { guidance_timestep: 1, guidance_scale: 3, stg_scale: 1, rescaling_scale: 0.7, skip_block_list: [19] },
  ]),
} as const

/** configs/ltxv-*-distilled.yaml: guidance_scale, stg_scale, rescaling_scale (whose block list has nothing to do) */
const unguided = guidanceOf([
  { guidance_timestep: 1, guidance_scale: 1, stg_scale: 0, rescaling_scale: 1, skip_block_list: [] },
])

/** configs/ltxv-*-0.9.8-*.yaml: downscale_factor. Not two thirds: these seven digits make 768 pixels 480 in the first pass, two thirds would make them 512. */
const downscale = 0.6666666
/** ltx_video/pipelines/pipeline_ltx_video.py: adain_filter_latent's factor */
const adain = 1

/** configs/ltxv-2b-0.9.8-distilled.yaml, ltxv-13b-0.9.8-distilled.yaml: timesteps of first_pass and second_pass */
const distilled = {
  ...common,
  keyframes: true,
  first: { sigmas: [1, 0.9937, 0.9875, 0.9812, 0.975, 0.9094, 0.725] },
  guidance: unguided,
} as const
const distilledSecond = { downscale, adain, second: { sigmas: [0.9094, 0.725, 0.4219] }, guidance: unguided } as const

/** First match wins. */
const authorsRecipes: readonly KnownRecipe[] = [
  {
    ...distilled,
    name: '2b-0.9.8-distilled',
    for: /2b.*0\.9\.8.*distilled/i,
    about: '0.9.8 distilled, 2B: 7 + 3 steps, no guidance',
    sources: ['ltxv-2b-0.9.8-distilled.yaml'],
    multiScale: { ...distilledSecond, toneMap: 0 },
  },
  {
    ...distilled,
    name: '13b-distilled',
    for: /13b.*distilled|0\.9\.[78]-distilled/i,
    about: '0.9.7 and 0.9.8 distilled, 13B: 7 + 3 steps, no guidance',
    sources: ['ltxv-13b-0.9.8-distilled.yaml'],
    // second_pass: tone_map_compression_ratio
    multiScale: { ...distilledSecond, toneMap: 0.6 },
  },
  {
    ...common,
    keyframes: true,
    name: '2b-0.9.6-distilled',
    for: /0\.9\.6.*distilled/i,
    about: '0.9.6 distilled, 2B: 8 steps, stochastic, no guidance',
    sources: ['ltxv-2b-0.9.6-distilled.yaml'],
    // num_inference_steps, stochastic_sampling
    first: { steps: 8 },
    guidance: unguided,
    stochastic: true,
  },
  {
    ...common,
    keyframes: true,
    name: '13b-dev',
    for: /13b|0\.9\.[78]/i,
    about: '0.9.7 and 0.9.8, 13B: 27 + 13 steps, guidance 1 to 8 and STG on the way',
    sources: ['ltxv-13b-0.9.8-dev.yaml'],
    // first_pass: num_inference_steps, skip_final_inference_steps, cfg_star_rescale, and its lists, line by line
    first: { steps: 30, skipLast: 3 },
    guidance: guidanceOf(
      [
        { guidance_timestep: 1, guidance_scale: 1, stg_scale: 0, rescaling_scale: 1, skip_block_list: [] },
        {
          guidance_timestep: 0.996,
          guidance_scale: 1,
          stg_scale: 0,
          rescaling_scale: 1,
          skip_block_list: [11, 25, 35, 39],
        },
        {
          guidance_timestep: 0.9933,
          guidance_scale: 6,
          stg_scale: 4,
          rescaling_scale: 0.5,
          skip_block_list: [22, 35, 39],
        },
        { guidance_timestep: 0.985, guidance_scale: 8, stg_scale: 4, rescaling_scale: 0.5, skip_block_list: [28] },
        { guidance_timestep: 0.9767, guidance_scale: 6, stg_scale: 4, rescaling_scale: 1, skip_block_list: [28] },
        { guidance_timestep: 0.9008, guidance_scale: 1, stg_scale: 2, rescaling_scale: 1, skip_block_list: [28] },
        { guidance_timestep: 0.618, guidance_scale: 1, stg_scale: 1, rescaling_scale: 1, skip_block_list: [28] },
      ],
      { cfg_star_rescale: true },
    ),
    // second_pass: the same of it, with skip_initial_inference_steps
    multiScale: {
      downscale,
      adain,
      toneMap: 0,
      second: { steps: 30, skipFirst: 17 },
      guidance: guidanceOf(
        [{ guidance_timestep: 1, guidance_scale: 1, stg_scale: 1, rescaling_scale: 1, skip_block_list: [27] }],
        { cfg_star_rescale: true },
      ),
    },
  },
  {
    ...undistilled,
    keyframes: true,
    name: '2b-0.9.5',
    for: /0\.9\.[56]/i,
    about: '0.9.5 and 0.9.6-dev, 2B: 40 steps, guidance 3, STG 1',
    sources: ['ltxv-2b-0.9.5.yaml', 'ltxv-2b-0.9.6-dev.yaml'],
  },
  {
    ...undistilled,
    keyframes: false,
    name: '2b-0.9.1',
    for: /0\.9\.1/i,
    about: '0.9.1, 2B: 40 steps, guidance 3, STG 1',
    sources: ['ltxv-2b-0.9.1.yaml'],
  },
  {
    ...undistilled,
    keyframes: false,
    name: '2b-0.9.0',
    for: /v?0\.9(\.0)?(?![.\d])|LTX-Video$/i,
    about: '0.9.0, 2B: 40 steps, guidance 3, STG 1',
    sources: ['ltxv-2b-0.9.yaml'],
  },
]

/** The authors' recipes, by which checkpoints are run, then the same as diffusers' pipelines would do them, to be asked for by name. */
export const recipes: readonly KnownRecipe[] = [...authorsRecipes, ...authorsRecipes.map(asDiffusersDoes)]

/**
 * The recipe of a name, or the one that fits a checkpoint: by its name, else by what its configs say. Fitted to the checkpoint's blocks.
 * @throws EngineError `unknown_recipe` that lists the known ones
 */
export function chooseRecipe(
  checkpoint: Pick<Checkpoint, 'name' | 'keyframes' | 'transformer' | 'vae' | 'allowedSigmas'>,
  asked?: string,
): Recipe {
  const { layers } = checkpoint.transformer.config
  if (asked !== undefined) return fitToLayers(recipeNamed(asked), layers)
  const named = authorsRecipes.find((recipe) => recipe.for.test(checkpoint.name))
  return fitToLayers(named?.keyframes === checkpoint.keyframes ? named : recipeNamed(byConfigs(checkpoint)), layers)
}

function recipeNamed(name: string): Recipe {
  const found = recipes.find((recipe) => recipe.name === name)
  if (found !== undefined) return found
  throw new EngineError(
    'unknown_recipe',
    `There is no recipe ${name}. Known are ${recipes.map((recipe) => recipe.name).join(', ')}.`,
  )
}

function byConfigs({
  keyframes,
  transformer,
  vae,
  allowedSigmas,
}: Pick<Checkpoint, 'keyframes' | 'transformer' | 'vae' | 'allowedSigmas'>): string {
  if (!keyframes) return vae.config.decoder.timestepConditioning ? '2b-0.9.1' : '2b-0.9.0'
  const large = transformer.config.headSize >= 128
  if (allowedSigmas !== undefined) return large ? '13b-distilled' : '2b-0.9.8-distilled'
  return large ? '13b-dev' : '2b-0.9.5'
}
