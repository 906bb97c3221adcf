/** A recipe: everything about a video that is neither the weights nor the request. */

import { isGuided, type Guidance } from '../../../flow/guidance.ts'
import { linearQuadraticSigmas, shiftedSigmas, uniformSigmas } from '../../../flow/schedule.ts'
import type { Checkpoint } from './checkpoint.ts'

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

export interface MultiScale {
  /** Size of the first pass as a part of the asked-for size; the second is twice as large as the first. */
  readonly downscale: number
  readonly second: Pass
  /** 0..1: how far the upsampled latents get the first pass's contrast. */
  readonly adain: number
  /** 0..1: compresses strong latents before the second pass. */
  readonly toneMap: number
}

export interface Recipe {
  readonly name: string
  readonly first: Pass
  /** By falling sigma; the last holds to the end, the first also above its own. */
  readonly guidance: readonly [GuidanceStep, ...GuidanceStep[]]
  /** What the prompt is kept away from, where guidance is on and the request says nothing. */
  readonly negativePrompt: string
  /** Tokens that a prompt is cut to. */
  readonly maximumTokens: number
  /** Strength of noise on given pictures. */
  readonly imageNoise: number
  /** 0..1: how noisy the decoder is told its latents are, where it listens. */
  readonly decodeTimestep: number
  /** 0..1: how noisy they are made. */
  readonly decodeNoise: number
  readonly stochastic: boolean
  /** Needs a latent upsampler; without one, the first pass at full size is all. */
  readonly multiScale?: MultiScale
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
export function guidanceAt(steps: Recipe['guidance'], sigma: number): Guidance {
  return steps.find(({ from }) => from <= sigma) ?? steps.at(-1) ?? steps[0]
}

/** Whether any step needs the negative prompt. */
export function needsNegativePrompt(steps: Recipe['guidance']): boolean {
  return steps.some(isGuided)
}
