/** What a sampler is: a rule that brings latents down a noise schedule, from prediction to prediction. */

import type { Float32Tensor } from '../onnx/index.ts'
import type { Draws } from './draws.ts'

export interface SamplerStart {
  /** Descending, with the 0 at the end: one step less than there are values. */
  readonly sigmas: Float32Array
  /** `[tokens]`, 0..1: how much of a token is given by a picture. 1 stays as it is. */
  readonly strengths: Float32Array
  /** For samplers that add noise. */
  readonly draws: Draws
}

/** The noise at a step. */
export interface NoiseLevel {
  /** 0..1: that of a token that nothing is given of. */
  readonly sigma: number
  /** `[tokens]`: what the model is told, sigma times 1000. A given token may be below the others. */
  readonly timesteps: Float32Array
}

export interface Sampler {
  /** How many steps there are. */
  readonly steps: number
  /** The noise of the latents before a step. */
  levelAt(step: number): NoiseLevel
  /**
   * From the latents before a step and the velocity predicted there to the latents after it. Steps are taken in their order, each once: a sampler may
   * keep what it was given, as methods of a higher order do. The latents may be moved where they lie.
   * @param latents `[tokens, C]`
   * @param velocity `[tokens, C]`
   */
  step(step: number, latents: Float32Tensor, velocity: Float32Tensor): Float32Tensor
}

/** Begins a video: each has a sampler of its own. */
export type StartSampler = (start: SamplerStart) => Sampler
