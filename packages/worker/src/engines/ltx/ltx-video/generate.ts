/** From a prompt and pictures to latents: one pass, or two at growing size. */

import type { Draws } from '../../../flow/draws.ts'
import { startEuler, startStochasticEuler } from '../../../flow/euler.ts'
import type { Float32Tensor } from '../../../onnx/index.ts'
import { tokenCount, type LatentSize } from '../coordinates.ts'
import { denormalizeLatents, normalizeLatents, unpackLatents } from '../latents.ts'
import { checkVideo } from './check-video.ts'
import type { Checkpoint } from './checkpoint.ts'
import {
  dropExtraTokens,
  startConditioned,
  startImageToVideo,
  type Geometry,
  type InitialLatents,
  type Keyframe,
} from './conditioning.ts'
import { denoise, type DenoiseOptions, type DenoiseStart } from './denoise.ts'
import type { LtxModels } from './models.ts'
import { adaptInstance, toneMap } from './multi-scale.ts'
import {
  guidanceAt,
  needsNegativePrompt,
  passSigmas,
  perturbableOf,
  promptShape,
  type GuidanceSteps,
  type Pass,
  type Recipe,
} from './recipe.ts'

/** A picture and its place in the video. */
export interface GivenPicture {
  /** The picture at a size: `[1, 3, 1, height, width]` in -1..1. Each pass asks for its own. */
  readonly at: (width: number, height: number) => Float32Tensor | Promise<Float32Tensor>
  /** Frame of the video. 0.9.0 and 0.9.1 know frame 0 only. @default 0 */
  readonly frame?: number
  /** 0..1. 0.9.0 and 0.9.1 know 1 only. @default 1 */
  readonly strength?: number
}

export interface VideoSettings {
  readonly prompt: string
  readonly negativePrompt: string
  readonly pictures: readonly GivenPicture[]
  /** Pixels, a multiple of 32. */
  readonly width: number
  /** Pixels, a multiple of 32. */
  readonly height: number
  /** 8k + 1. */
  readonly frames: number
  readonly framesPerSecond: number
  readonly recipe: Recipe
}

/** What happens on the way, for progress, cancelling and comparisons. Each may throw to stop. */
export interface GenerateHooks {
  readonly onStage?: (stage: 'text' | 'encode' | 'denoise' | 'upsample' | 'decode') => void
  readonly beforeStep?: (step: number, pass: number) => void | Promise<void>
  readonly afterStep?: (step: number, pass: number, latents: Float32Tensor) => void
}

export interface EncodedPrompts {
  readonly prompt: Float32Tensor
  readonly negativePrompt: Float32Tensor | undefined
}

/**
 * Texts and pictures first, those of the second pass too: between two passes the transformer may then stay where it is.
 * @returns normalised latents `[1, C, F, h, w]`; larger than asked for where the recipe has two passes (see {@link passSizes})
 * @throws EngineError `invalid_settings` before any work, for what the checkpoint's latents cannot hold
 */
export async function generateLatents(
  models: LtxModels,
  settings: VideoSettings,
  draws: Draws,
  hooks: GenerateHooks = {},
): Promise<Float32Tensor> {
  checkVideo(models.checkpoint, settings)
  checkPerturbable(models, settings.recipe)
  hooks.onStage?.('text')
  const prompts = await encodePrompts(models, settings)
  const sizes = passSizes(models, settings)
  const { multiScale } = settings.recipe
  hooks.onStage?.('encode')
  const keyframes = {
    first: await encodePictures(models, settings, sizes.first),
    second: sizes.second === undefined ? [] : await encodePictures(models, settings, sizes.second),
  }
  const first = await runPass(
    models,
    settings,
    {
      ...sizes.first,
      prompts,
      keyframes: keyframes.first,
      pass: settings.recipe.first,
      guidance: settings.recipe.guidance,
      number: 0,
    },
    draws,
    hooks,
  )
  if (sizes.second === undefined || multiScale === undefined) return first
  hooks.onStage?.('upsample')
  const upscaled = await upscaleLatents(models, first, {
    adain: multiScale.adain,
    toneMap: settings.recipe.follows === 'diffusers' ? multiScale.toneMap : 0,
  })
  return runPass(
    models,
    settings,
    {
      ...sizes.second,
      prompts,
      keyframes: keyframes.second,
      pass: multiScale.second,
      guidance: multiScale.guidance,
      number: 1,
      initial: upscaled,
    },
    draws,
    hooks,
  )
}

function checkPerturbable({ perturbable }: LtxModels, recipe: Recipe): void {
  const missing = perturbableOf(recipe).blocks.filter((block) => !perturbable.includes(block))
  if (missing.length === 0) return
  throw new RangeError(
    `The recipe ${recipe.name} weakens blocks ${missing.join(', ')}, for which the models were not opened. Open them with { perturbable: perturbableOf(recipe) }.`,
  )
}

export async function encodePrompts(
  models: LtxModels,
  { prompt, negativePrompt, recipe }: VideoSettings,
): Promise<EncodedPrompts> {
  const shape = promptShape(recipe, models.checkpoint)
  const { embeddings } = await models.encodeText(prompt, shape)
  const negative = needsNegativePrompt(recipe) ? await models.encodeText(negativePrompt, shape) : undefined
  return { prompt: embeddings, negativePrompt: negative?.embeddings }
}

/** The given pictures at the size of a pass, as the autoencoder sees them. */
export async function encodePictures(
  models: LtxModels,
  { pictures }: Pick<VideoSettings, 'pictures'>,
  { width, height }: { readonly width: number; readonly height: number },
): Promise<Keyframe[]> {
  const keyframes: Keyframe[] = []
  for (const { at, frame = 0, strength = 1 } of pictures)
    keyframes.push({ posterior: await models.encodePixels(await at(width, height)), frame, strength })
  return keyframes
}

/** Pixels of each pass. With one pass it is the size asked for. */
export function passSizes(
  models: { readonly checkpoint: Pick<Checkpoint, 'upsampler' | 'vae'> },
  { width, height, recipe }: Pick<VideoSettings, 'width' | 'height' | 'recipe'>,
) {
  const { multiScale } = recipe
  if (multiScale === undefined || !hasTwoPasses(models.checkpoint, recipe)) return { first: { width, height } }
  const grid = models.checkpoint.vae.config.compression.space
  const down = (pixels: number) => Math.max(grid, Math.floor(Math.trunc(pixels * multiScale.downscale) / grid) * grid)
  const first = { width: down(width), height: down(height) }
  return { first, second: { width: 2 * first.width, height: 2 * first.height } }
}

/** Whether there is a second pass: where the recipe has one, and the checkpoint an upsampler. */
export function hasTwoPasses(
  { upsampler }: Pick<Checkpoint, 'upsampler'>,
  { multiScale }: Pick<Recipe, 'multiScale'>,
): boolean {
  return multiScale !== undefined && upsampler !== undefined
}

/** Between two passes: normalised latents to normalised latents of twice the size. */
export async function upscaleLatents(
  models: LtxModels,
  latents: Float32Tensor,
  options: { adain: number; toneMap: number },
): Promise<Float32Tensor> {
  const { latents: statistics } = models.checkpoint
  const small = denormalizeLatents(latents, statistics)
  const large = await models.upsample(small)
  const adapted = options.adain > 0 ? adaptInstance(large, small, options.adain) : large
  return normalizeLatents(options.toneMap > 0 ? toneMap(adapted, options.toneMap) : adapted, statistics)
}

export interface PassOptions {
  readonly width: number
  readonly height: number
  readonly prompts: EncodedPrompts
  /** The pictures at this pass's size. */
  readonly keyframes: readonly Keyframe[]
  readonly pass: Pass
  readonly guidance: GuidanceSteps
  readonly number: number
  /** Normalised latents to go on from, noised to the pass's first sigma. */
  readonly initial?: Float32Tensor
}

export async function runPass(
  models: LtxModels,
  settings: VideoSettings,
  options: PassOptions,
  draws: Draws,
  hooks: GenerateHooks,
): Promise<Float32Tensor> {
  const { recipe } = settings
  const size = latentSize(models, options, settings.frames)
  const sigmas = passSigmas(options.pass, models.checkpoint, tokenCount(size))
  const initial = options.initial && { latents: options.initial, sigma: sigmas[0] ?? 1 }
  const start = startPass(models, settings, options, size, draws, initial)
  hooks.onStage?.('denoise')
  const begin = recipe.stochastic || models.checkpoint.schedule.stochastic ? startStochasticEuler : startEuler
  const denoiseOptions: DenoiseOptions = {
    sampler: begin({ sigmas, strengths: start.strengths, draws }),
    guidance: (sigma) => guidanceAt(options.guidance, sigma),
    prompt: options.prompts.prompt,
    negativePrompt: options.prompts.negativePrompt,
    imageNoise: options.keyframes.length > 0 ? recipe.imageNoise : 0,
    beforeStep: (step) => hooks.beforeStep?.(step, options.number),
    afterStep: (step, latents) => hooks.afterStep?.(step, options.number, latents),
  }
  const tokens = await denoise(start, models.denoise, draws, denoiseOptions)
  return unpackLatents(dropExtraTokens(tokens, start.extraTokens), size)
}

function startPass(
  models: LtxModels,
  settings: VideoSettings,
  { keyframes }: PassOptions,
  size: LatentSize,
  draws: Draws,
  initial: InitialLatents | undefined,
): DenoiseStart & { extraTokens: number } {
  const { keyframes: knowsKeyframes, latents, causalCoordinates, vae, transformer } = models.checkpoint
  const geometry: Geometry = {
    size,
    compression: vae.config.compression,
    framesPerSecond: settings.framesPerSecond,
    causalCoordinates,
  }
  const [only] = keyframes
  if (settings.recipe.follows === 'diffusers' && !knowsKeyframes && only !== undefined && initial === undefined) {
    return { ...startImageToVideo(only.posterior, geometry, latents, draws), extraTokens: 0 }
  }
  return startConditioned(keyframes, geometry, transformer.config.inChannels, latents, draws, initial)
}

export function latentSize(
  models: LtxModels,
  { width, height }: { width: number; height: number },
  frames: number,
): LatentSize {
  const { time, space } = models.checkpoint.vae.config.compression
  return { frames: Math.floor((frames - 1) / time) + 1, height: height / space, width: width / space }
}
