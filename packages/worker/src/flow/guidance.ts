/** Guidance: exaggerates what the prompt changes. */

import type { Float32Tensor } from '../onnx/index.ts'

export interface Guidance {
  /** 1 is off. Above, the denoiser runs twice a step, once with the negative prompt. */
  readonly scale: number
  /** 0..1: how far the result's contrast is brought back to the unguided one's. (Lin et al., arXiv 2305.08891, section 3.4) */
  readonly rescale: number
}

/** Whether the negative prompt is needed at all. */
export function isGuided(guidance: Pick<Guidance, 'scale'>): boolean {
  return guidance.scale > 1
}

/** u + g(c - u), rescaled. */
export function guide(positive: Float32Tensor, negative: Float32Tensor, { scale, rescale }: Guidance): Float32Tensor {
  const guided = positive.data.map((value, index) => {
    const base = negative.data[index]!
    return base + scale * (value - base)
  })
  if (rescale > 0) {
    const factor = rescale * (deviation(positive.data) / deviation(guided)) + (1 - rescale)
    for (let index = 0; index < guided.length; index++) guided[index] = guided[index]! * factor
  }
  return { ...positive, data: guided }
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
