/** A recipe: everything about a video that is neither the weights nor the request. */

import { isGuided, perturbedBlocks, type Guidance } from '../../../flow/guidance.ts'
import { linearQuadraticSigmas, shiftedSigmas, uniformSigmas } from '../../../flow/schedule.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { PromptShape } from './models.ts'
import type { PerturbationMode, TransformerOptions } from './transformer.ts'

/** Which sigmas a pass goes through: the schedule's own, or a distilled model's. */
export type Pass =
  | { readonly steps: number; readonly skipFirst?: number; readonly skipLast?: number }
  /** Descending, without the final 0. */
  | { readonly sigmas: readonly number[] }

/** Guidance that changes on the way: a step holds from its sigma down to the next one's. */
export interface GuidanceStep extends Guidance {
  /** 0..1. */
  readonly from: number
}

/** By falling sigma; the last holds to the end, the first also above its own. */
export type GuidanceSteps = readonly [GuidanceStep, ...GuidanceStep[]]

export interface MultiScale {
  /** Size of the first pass as a part of the asked-for size; the second is twice as large as the first. */
  readonly downscale: number
  readonly second: Pass
  /** Of the second pass. */
  readonly guidance: GuidanceSteps
  /** 0..1: how far the upsampled latents get the first pass's contrast. */
  readonly adain: number
  /** 0..1: compresses strong latents, after the second pass (authors) or before it (diffusers). 0 is off. */
  readonly toneMap: number
}

export interface Recipe {
  readonly name: string
  /**
   * Whose program it does as, where the authors' and diffusers' differ in more than numbers:
   *
   * - how a picture is made ready: cut, softened and sent through H.264 (authors); cut and resized by Lanczos (diffusers)
   * - whether the decoder's noise is mixed into normalised latents (authors) or into denormalised ones
   * - where strong latents are compressed: see {@link MultiScale.toneMap}
   * - what diffusers' older pipeline does with 0.9.0 and 0.9.1: its text encoder reads the padding, and its picture is drawn before the noise
   */
  readonly follows: 'authors' | 'diffusers'
  readonly first: Pass
  /** Of the first pass. */
  readonly guidance: GuidanceSteps
  /** How blocks are weakened where the guidance has a perturbation. */
  readonly perturbationMode: PerturbationMode
  /** What the prompt is kept away from, where guidance is on and the request says nothing. */
  readonly negativePrompt: string
  /** Tokens that a prompt is cut to. */
  readonly maximumTokens: number
  /** 0..51: the rate factor at which a picture goes through H.264 before it is animated; 0 leaves that out. */
  readonly imageCrf: number
  /** Strength of noise on given pictures. */
  readonly imageNoise: number
  /** 0..1: how noisy the decoder is told its latents are, where it listens. */
  readonly decodeTimestep: number
  /** 0..1: how noisy they are made. */
  readonly decodeNoise: number
  readonly stochastic: boolean
  /** Blocks that it would weaken and the checkpoint does not have, so that their steps go without. @default none */
  readonly missingBlocks?: readonly number[]
  /** Needs a latent upsampler; without one, the first pass at full size is all. */
  readonly multiScale?: MultiScale
}

/** A recipe that checkpoints are matched with. */
export interface KnownRecipe extends Recipe {
  /** Whether it is for checkpoints that know keyframes: a name may say what the configs deny. */
  readonly keyframes: boolean
  /** Hub ids, folder and file names it is for. */
  readonly for: RegExp
  readonly about: string
  /** The authors' files, in `configs/`, that its numbers are from. */
  readonly sources: readonly string[]
}

/** Steps that a pass takes. */
export function passSteps(pass: Pass): number {
  return 'sigmas' in pass ? pass.sigmas.length : pass.steps - (pass.skipFirst ?? 0) - (pass.skipLast ?? 0)
}

/** A pass's sigmas with the final 0, for a video of so many tokens. A distilled model's own are not shifted. */
export function passSigmas(
  pass: Pass,
  checkpoint: Pick<Checkpoint, 'sampler' | 'schedule'>,
  tokens: number,
): Float32Array {
  if ('sigmas' in pass) return Float32Array.of(...pass.sigmas, 0)
  const { steps, skipFirst = 0, skipLast = 0 } = pass
  const spaced =
    checkpoint.sampler === 'linear-quadratic' ? linearQuadraticSigmas(steps).map(throughTimestep) : uniformSigmas(steps)
  const shifted = shiftedSigmas(spaced, checkpoint.schedule, tokens)
  return Float32Array.of(...shifted.slice(skipFirst, steps - skipLast), 0)
}

/** The newer pipeline hands its sigmas over as timesteps; the detour costs a bit of precision, and the reference takes it. */
function throughTimestep(sigma: number): number {
  return Math.fround(Math.fround(sigma * 1000) / 1000)
}

/** The guidance in force at a sigma: the first step that does not begin below it, as the authors' code looks it up. */
export function guidanceAt(steps: GuidanceSteps, sigma: number): Guidance {
  // Theirs compares float32 with float32; our sigmas went through timesteps of 0..1000 and back, which may cost the last bit.
  return steps.find(({ from }) => from <= sigma + 1e-6) ?? steps.at(-1) ?? steps[0]
}

/** Whether any step needs the negative prompt. */
export function needsNegativePrompt(recipe: Pick<Recipe, 'guidance' | 'multiScale'>): boolean {
  return allGuidance(recipe).some(isGuided)
}

/** What the transformer has to be built with: every block that a step weakens, each once, in rising order. */
export function perturbableOf(
  recipe: Pick<Recipe, 'guidance' | 'multiScale' | 'perturbationMode'>,
): NonNullable<TransformerOptions['perturbable']> {
  const blocks = new Set(allGuidance(recipe).flatMap((step) => [...perturbedBlocks(step)]))
  return { mode: recipe.perturbationMode, blocks: [...blocks].toSorted((a, b) => a - b) }
}

/**
 * The recipe for a transformer of so many blocks. Steps that would weaken a block it does not have go without their perturbation, and without the
 * rescaling that belongs to it.
 */
export function fitToLayers(recipe: Recipe, layers: number): Recipe {
  const { multiScale } = recipe
  const missingBlocks = perturbableOf(recipe).blocks.filter((block) => block >= layers)
  if (missingBlocks.length === 0) return recipe
  const fit = (step: GuidanceStep): GuidanceStep => {
    if (perturbedBlocks(step).every((block) => block < layers)) return step
    const { perturbation: _, ...plain } = step
    return { ...plain, rescale: 0 }
  }
  const fitAll = ([first, ...others]: GuidanceSteps): GuidanceSteps => [fit(first), ...others.map(fit)]
  return {
    ...recipe,
    missingBlocks,
    guidance: fitAll(recipe.guidance),
    ...(multiScale !== undefined && { multiScale: { ...multiScale, guidance: fitAll(multiScale.guidance) } }),
  }
}

/** Predictions that a pass takes from the transformer. */
export function predictionCount(sigmas: Float32Array, guidance: GuidanceSteps): number {
  return sigmas.subarray(0, -1).reduce((sum, sigma) => {
    const step = guidanceAt(guidance, sigma)
    return sum + 1 + (isGuided(step) ? 1 : 0) + (perturbedBlocks(step).length > 0 ? 1 : 0)
  }, 0)
}

/** How prompts reach the text encoder. */
export function promptShape(
  { follows, maximumTokens }: Pick<Recipe, 'follows' | 'maximumTokens'>,
  { keyframes }: Pick<Checkpoint, 'keyframes'>,
): PromptShape {
  return { maximum: maximumTokens, paddingIsRead: follows === 'diffusers' && !keyframes }
}

function allGuidance({ guidance, multiScale }: Pick<Recipe, 'guidance' | 'multiScale'>): GuidanceStep[] {
  return [...guidance, ...(multiScale?.guidance ?? [])]
}
