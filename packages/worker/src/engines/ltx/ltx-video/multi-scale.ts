/** What happens to latents between the two passes of the multi-scale recipe. Both work on denormalised latents `[1, C, F, H, W]`. */

import { deviation } from '../../../flow/guidance.ts'
import { videoSizes, type Float32Tensor } from '../../../onnx/index.ts'

/** Gives each channel the mean and deviation it has in `reference` (AdaIN), to the degree `factor`. */
export function adaptInstance(latents: Float32Tensor, reference: Float32Tensor, factor: number): Float32Tensor {
  const { channels } = videoSizes(latents)
  const data = new Float32Array(latents.data.length)
  for (let channel = 0; channel < channels; channel++) {
    const own = channelOf(latents, channel)
    const wanted = channelOf(reference, channel)
    const ownMean = mean(own)
    const wantedMean = mean(wanted)
    const ratio = deviation(wanted) / deviation(own)
    const start = channel * own.length
    own.forEach((value, index) => {
      const adapted = (value - ownMean) * ratio + wantedMean
      data[start + index] = value + factor * (adapted - value)
    })
  }
  return { ...latents, data }
}

/** Compresses strong latents: x · (1 - 0.8k · sigmoid(4k(|x| - 1))) with k = 0.75 · compression. */
export function toneMap(latents: Float32Tensor, compression: number): Float32Tensor {
  const k = 0.75 * compression
  return { ...latents, data: latents.data.map((x) => x * (1 - (0.8 * k) / (1 + Math.exp(-4 * k * (Math.abs(x) - 1))))) }
}

function channelOf(latents: Float32Tensor, channel: number): Float32Array {
  const { frames, height, width } = videoSizes(latents)
  const size = frames * height * width
  return latents.data.subarray(channel * size, (channel + 1) * size)
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
