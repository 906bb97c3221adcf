/** Guidance: exaggerates what the prompt changes, and what attention over the whole video changes. */

import type { Float32Tensor } from '../onnx/index.ts'

export interface Guidance {
  /** 1 is off. Above, the denoiser runs once more a step, with the negative prompt. */
  readonly scale: number
  /**
   * Whether the negative prediction is first brought to the length at which it comes closest to the positive one.
   * (CFG-Zero*, Fan et al., arXiv 2503.18886, section 3.2.) @default false
   */
  readonly star?: boolean
  /** @default off */
  readonly perturbation?: Perturbation
  /** 0..1: how far the result's contrast is brought back to the unguided one's; 0 is off. (Lin et al., arXiv 2305.08891, section 3.4) */
  readonly rescale: number
}

/** Spatio-temporal guidance: away from what the model predicts with some of its blocks weakened. (Hyung et al., arXiv 2411.18664) */
export interface Perturbation {
  /** 0 is off. Above, the denoiser runs once more a step. */
  readonly scale: number
  /** Numbers of the transformer's blocks, from 0. */
  readonly blocks: readonly number[]
}

/** What the denoiser says of the same latents. */
export interface Predictions {
  readonly positive: Float32Tensor
  /** With the negative prompt. Needed where the scale is above 1. */
  readonly negative?: Float32Tensor | undefined
  /** With the positive prompt and weakened blocks. Needed where there is a perturbation. */
  readonly perturbed?: Float32Tensor | undefined
}

/** Whether the negative prompt is needed at all. */
export function isGuided(guidance: Pick<Guidance, 'scale'>): boolean {
  return guidance.scale > 1
}

/** The blocks that a prediction of its own goes without; none where there is no such prediction. */
export function perturbedBlocks({ perturbation }: Pick<Guidance, 'perturbation'>): readonly number[] {
  return perturbation !== undefined && perturbation.scale > 0 ? perturbation.blocks : []
}

/** u + g(c - u) + s(c - p), rescaled; u is projected on c first where the guidance says `star`. */
export function guide({ positive, negative, perturbed }: Predictions, guidance: Guidance): Float32Tensor {
  const { scale, star = false, perturbation, rescale } = guidance
  const guided = Float32Array.from(positive.data)
  if (negative !== undefined) {
    const length = star ? projection(positive.data, negative.data) : 1
    for (let index = 0; index < guided.length; index++) {
      const base = length * negative.data[index]!
      guided[index] = base + scale * (guided[index]! - base)
    }
  }
  if (perturbed !== undefined && perturbation !== undefined) {
    for (let index = 0; index < guided.length; index++)
      guided[index] = guided[index]! + perturbation.scale * (positive.data[index]! - perturbed.data[index]!)
  }
  if (rescale > 0) {
    const factor = rescale * (deviation(positive.data) / deviation(guided)) + (1 - rescale)
    for (let index = 0; index < guided.length; index++) guided[index] = guided[index]! * factor
  }
  return { ...positive, data: guided }
}

/** ⟨c, u⟩ / ‖u‖²: how long u has to be to come closest to c. */
function projection(positive: Float32Array, negative: Float32Array): number {
  let product = 0
  let square = 1e-8
  for (let index = 0; index < negative.length; index++) {
    product += positive[index]! * negative[index]!
    square += negative[index]! ** 2
  }
  return product / square
}

/** The unbiased standard deviation over all values. */
export function deviation(values: Float32Array): number {
  let sum = 0
  for (const value of values) sum += value
  const mean = sum / values.length
  let squares = 0
  for (const value of values) squares += (value - mean) ** 2
  return Math.sqrt(squares / (values.length - 1))
}
