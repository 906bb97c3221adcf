/**
 * The recipes of the known checkpoints, as their authors recommend them (`configs/*.yaml` of Lightricks/LTX-Video). Spatio-temporal guidance, which
 * the undistilled ones also list, is left out for now.
 */

import { EngineError } from '../../../failure.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Recipe } from './recipe.ts'

const negativePrompt = 'worst quality, inconsistent motion, blurry, jittery, distorted'

const undistilled = {
  first: { steps: 40 },
  guidance: [{ from: 1, scale: 3, rescale: 0.7 }],
  negativePrompt,
  decodeTimestep: 0.05,
  decodeNoise: 0.025,
  stochastic: false,
} as const

/** One picture that stays as it is, prompts of 128 tokens. */
const older = { ...undistilled, keyframes: false, maximumTokens: 128, imageNoise: 0 } as const
/** Keyframes with a little noise, prompts of 256 tokens. */
const newer = { ...undistilled, keyframes: true, maximumTokens: 256, imageNoise: 0.15 } as const
const distilled = {
  ...newer,
  guidance: [{ from: 1, scale: 1, rescale: 0 }],
  first: { sigmas: [1, 0.9937, 0.9875, 0.9812, 0.975, 0.9094, 0.725] },
} as const
/** Not two thirds: the authors' seven digits make 768 pixels 480 in the first pass; two thirds would make them 512. */
const downscale = 0.6666666
const secondPass = { downscale, second: { sigmas: [0.9094, 0.725, 0.4219] }, adain: 1, toneMap: 0 } as const

const large = {
  ...newer,
  first: { steps: 30, skipLast: 3 },
  guidance: [
    { from: 1, scale: 1, rescale: 1 },
    { from: 0.996, scale: 1, rescale: 1 },
    { from: 0.9933, scale: 6, rescale: 0.5 },
    { from: 0.985, scale: 8, rescale: 0.5 },
    { from: 0.9767, scale: 6, rescale: 1 },
    { from: 0.9008, scale: 1, rescale: 1 },
    { from: 0.618, scale: 1, rescale: 1 },
  ],
} as const

interface KnownRecipe extends Recipe {
  /** Whether it is for checkpoints that know keyframes: a name may say what the configs deny. */
  readonly keyframes: boolean
  /** Hub ids, folder and file names it is for. */
  readonly for: RegExp
  readonly about: string
}

/** First match wins. */
export const recipes: readonly KnownRecipe[] = [
  {
    ...distilled,
    name: '2b-0.9.8-distilled',
    for: /2b.*0\.9\.8.*distilled/i,
    about: '0.9.8 distilled, 2B: 7 + 3 steps, no guidance',
    multiScale: secondPass,
  },
  {
    ...distilled,
    name: '13b-distilled',
    for: /13b.*distilled|0\.9\.[78]-distilled/i,
    about: '0.9.7 and 0.9.8 distilled, 13B: 7 + 3 steps, no guidance',
    multiScale: { ...secondPass, toneMap: 0.6 },
  },
  {
    ...newer,
    name: '2b-0.9.6-distilled',
    for: /0\.9\.6.*distilled/i,
    about: '0.9.6 distilled, 2B: 8 steps, stochastic, no guidance',
    first: { steps: 8 },
    guidance: [{ from: 1, scale: 1, rescale: 0 }],
    stochastic: true,
  },
  {
    ...large,
    name: '13b-dev',
    for: /13b|0\.9\.[78]/i,
    about: '0.9.7 and 0.9.8, 13B: 27 + 13 steps, guidance 1 to 8 on the way',
    multiScale: { ...secondPass, second: { steps: 30, skipFirst: 17 } },
  },
  { ...newer, name: '2b-0.9.5', for: /0\.9\.[56]/i, about: '0.9.5 and 0.9.6-dev, 2B: 40 steps, guidance 3' },
  { ...older, name: '2b-0.9.1', for: /0\.9\.1/i, about: '0.9.1, 2B: 40 steps, guidance 3' },
  { ...older, name: '2b-0.9.0', for: /v?0\.9(\.0)?(?![.\d])|LTX-Video$/i, about: '0.9.0, 2B: 40 steps, guidance 3' },
]

/**
 * The recipe of a name, or the one that fits a checkpoint: by its name, else by what its configs say.
 * @throws EngineError `unknown_recipe` that lists the known ones
 */
export function chooseRecipe(
  checkpoint: Pick<Checkpoint, 'name' | 'keyframes' | 'transformer' | 'vae' | 'allowedSigmas'>,
  asked?: string,
): Recipe {
  if (asked !== undefined) return recipeNamed(asked)
  const named = recipes.find((recipe) => recipe.for.test(checkpoint.name))
  return named?.keyframes === checkpoint.keyframes ? named : recipeNamed(byConfigs(checkpoint))
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
