/** What a checkpoint with its recipe makes of a request: the settings in force, and sentences about what was left aside. */

import {
  type Abilities,
  DURATION,
  FPS,
  MAX_FRAME_PIXELS,
  type Recipe as Defaults,
  type RequestedSettings,
  resolveSettings,
  type ResolvedSettings,
  type SettingName,
} from '@kinora/protocol'
import { isGuided } from '../../../flow/guidance.ts'
import type { PictureSize, Resolution } from '../../engine.ts'
import { leftAside } from '../../resolution.ts'
import type { Checkpoint } from './checkpoint.ts'
import { needsNegativePrompt, passSteps, type Recipe } from './recipe.ts'

type Known = Pick<Checkpoint, 'keyframes' | 'transformer' | 'vae' | 'upsampler' | 'allowedSigmas'>

export interface ResolveOptions {
  readonly checkpoint: Known
  readonly recipe: Recipe
  /** Tokens of a text, the end token included. */
  readonly countTokens: (text: string) => number
  /** Whether pictures can go through H.264 here. @default true */
  readonly films?: boolean
}

/** What the checkpoint prefers where a request says nothing. */
export function defaultsOf(recipe: Recipe, { keyframes }: Pick<Checkpoint, 'keyframes'>): Defaults {
  const { guidance } = recipe
  return {
    steps: passSteps(recipe.first),
    ...(guidance.length === 1 && isGuided(guidance[0]) && { guidance_scale: guidance[0].scale }),
    ...(needsNegativePrompt(recipe) && { negative_prompt: recipe.negativePrompt }),
    ...(recipe.follows === 'authors' && { image_crf: recipe.imageCrf }),
    ...(keyframes && { image_strength: 1 }),
  }
}

/** What the checkpoint can do; seconds and pixels are those its positions were trained for, within the wire's own limits. */
export function abilitiesOf({ keyframes, transformer, vae }: Known): Abilities {
  const [seconds, height, width] = transformer.config.maximumPositions
  return {
    images: keyframes,
    audio: false,
    size_step: vae.config.compression.space,
    max_duration: Math.min(DURATION.max, Math.max(1, Math.floor(seconds))),
    max_pixels: Math.min(MAX_FRAME_PIXELS, height * width),
    fps: { min: FPS.min, max: FPS.max },
  }
}

export function resolveVideo(
  { checkpoint, recipe, countTokens, films = true }: ResolveOptions,
  asked: RequestedSettings,
  picture: PictureSize,
): Resolution {
  const adjustable = hasFreeSteps(recipe, checkpoint)
  const { negative_prompt, ...wanted } = resolveSettings(
    { ...asked, ...(!adjustable && { steps: undefined }), guidance_scale: effective(asked.guidance_scale) },
    defaultsOf(recipe, checkpoint),
    picture,
  )
  const unfilmed = !films && wanted.image_crf !== undefined && wanted.image_crf > 0
  const settings = unfilmed ? { ...wanted, image_crf: 0 } : wanted
  const guided = needsNegativePrompt(adjusted(recipe, settings))
  const resolved = guided && negative_prompt !== undefined ? { ...settings, negative_prompt } : settings
  return {
    settings: resolved,
    notices: [
      ...leftAside(unfilmed ? { ...asked, image_crf: undefined } : asked, resolved, (name) =>
        reasonFor(name, recipe, asked),
      ),
      ...(unfilmed
        ? [
            `The picture was not sent through H.264 (image_crf: ${wanted.image_crf}), so it may move less: this worker has no ffmpeg with libx264.`,
          ]
        : []),
      ...cutTexts(resolved, recipe.maximumTokens, countTokens),
      ...withoutBlocks(recipe),
      ...(recipe.multiScale !== undefined && checkpoint.upsampler === undefined
        ? ['No latent upscaler was found beside the checkpoint: one pass at full size instead of two.']
        : []),
    ],
  }
}

/**
 * The recipe with what the request says. A distilled model's sigmas are its own: there, steps are not asked for. Guidance by the prompt that is asked for
 * holds for all of the first pass; a second one, which only sharpens, keeps the recipe's.
 */
export function adjusted(
  recipe: Recipe,
  { steps, guidance_scale: scale }: Pick<ResolvedSettings, 'steps' | 'guidance_scale'>,
): Recipe {
  const asked = 'steps' in recipe.first && steps !== undefined && steps !== passSteps(recipe.first)
  const first = asked ? { steps } : recipe.first
  if (scale === undefined) return { ...recipe, first }
  const [start, ...later] = recipe.guidance
  return { ...recipe, first, guidance: [{ ...start, scale }, ...later.map((step) => ({ ...step, scale }))] }
}

/** Whether a request may choose the number of steps: not where the sigmas are the recipe's own, or the only ones that the file allows. */
function hasFreeSteps(recipe: Recipe, { allowedSigmas }: Pick<Checkpoint, 'allowedSigmas'>): boolean {
  return 'steps' in recipe.first && allowedSigmas === undefined
}

/** Guidance below 1 is no guidance, which is what 1 means. */
function effective(scale: number | undefined): number | undefined {
  return scale === undefined ? undefined : Math.max(1, scale)
}

function reasonFor(name: SettingName, recipe: Recipe, asked: RequestedSettings): string {
  const steps = passSteps(recipe.first)
  switch (name) {
    case 'steps':
      return `This checkpoint has ${steps} fixed steps`
    case 'negative_prompt':
      return asked.guidance_scale === undefined
        ? 'This checkpoint works without guidance'
        : `guidance_scale: ${asked.guidance_scale} switches guidance off`
    case 'guidance_scale':
      return 'Guidance is off at 1, and there is nothing below'
    case 'image_crf':
      return `The recipe ${recipe.name} does not send pictures through H.264`
    case 'image_strength':
      return 'This checkpoint always holds the first frame to the picture'
    default:
      return `The recipe ${recipe.name} has no use for it`
  }
}

function withoutBlocks({ name, missingBlocks = [] }: Recipe): string[] {
  if (missingBlocks.length === 0) return []
  return [
    `The recipe ${name} guides by blocks ${missingBlocks.join(', ')}, which this checkpoint does not have: there, without spatio-temporal guidance.`,
  ]
}

function cutTexts(
  { prompt, negative_prompt }: ResolvedSettings,
  maximum: number,
  countTokens: (text: string) => number,
): string[] {
  const texts = { prompt, 'negative prompt': negative_prompt }
  return Object.entries(texts).flatMap(([name, text]) => {
    const tokens = text === undefined ? 0 : countTokens(text)
    return tokens > maximum ? [`The ${name} was cut after ${maximum} tokens: it has ${tokens}.`] : []
  })
}
