/** The authors' numbers in the hands of diffusers' pipelines: for comparisons with them, and for those who are used to what they give. */

import type { GuidanceStep, GuidanceSteps, KnownRecipe } from './recipe.ts'

/**
 * A recipe as diffusers' LTXImageToVideoPipeline (0.9.0, 0.9.1) or LTXConditionPipeline would do it, with the numbers for which they have a parameter:
 * no spatio-temporal guidance and no CFG-Zero*, so that the rescaling belongs to the guidance by the prompt; no H.264; for the older
 * checkpoints prompts of 128 tokens and no noise on the picture.
 */
export function asDiffusersDoes(recipe: KnownRecipe): KnownRecipe {
  const { guidance, multiScale } = recipe
  return {
    ...recipe,
    name: `diffusers-${recipe.name}`,
    about: `${recipe.name} as diffusers does it, without STG and H.264`,
    follows: 'diffusers',
    guidance: plain(guidance),
    ...(multiScale !== undefined && { multiScale: { ...multiScale, guidance: plain(multiScale.guidance) } }),
    imageCrf: 0,
    ...(!recipe.keyframes && { maximumTokens: 128, imageNoise: 0 }),
  }
}

function plain([first, ...others]: GuidanceSteps): GuidanceSteps {
  return [plainStep(first), ...others.map(plainStep)]
}

function plainStep({ from, scale, rescale }: GuidanceStep): GuidanceStep {
  return { from, scale, rescale: scale > 1 ? rescale : 0 }
}
