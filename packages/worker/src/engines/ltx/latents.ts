/** Latents: a video's small stand-in, in which all the work is done. Whole they are `[1, C, F, H, W]`, as tokens `[F·H·W, C]`. */

import { float32Tensor, matrixSizes, videoSizes, type Float32Tensor } from '../../onnx/index.ts'

import type { LatentSize } from './coordinates.ts'

/** Statistics of the latents, one value per channel. */
export interface LatentStatistics {
  readonly mean: Float32Array
  readonly std: Float32Array
  readonly scalingFactor: number
}

export function latentShape(channels: number, size: LatentSize): readonly number[] {
  return [1, channels, size.frames, size.height, size.width]
}

/** `[1, C, F, H, W]` to tokens `[F·H·W, C]`. */
export function packLatents(latents: Float32Tensor): Float32Tensor {
  const { channels, frames, height, width } = videoSizes(latents)
  const tokens = frames * height * width
  const packed = float32Tensor([tokens, channels])
  for (let channel = 0; channel < channels; channel++) {
    for (let token = 0; token < tokens; token++)
      packed.data[token * channels + channel] = latents.data[channel * tokens + token]!
  }
  return packed
}

/** Tokens `[F·H·W, C]` to `[1, C, F, H, W]`. */
export function unpackLatents(packed: Float32Tensor, size: LatentSize): Float32Tensor {
  const [tokens, channels] = matrixSizes(packed)
  const latents = float32Tensor(latentShape(channels, size))
  for (let channel = 0; channel < channels; channel++) {
    for (let token = 0; token < tokens; token++)
      latents.data[channel * tokens + token] = packed.data[token * channels + channel]!
  }
  return latents
}

/** (z - mean) · factor / std, per channel: how the transformer sees latents. */
export function normalizeLatents(
  latents: Float32Tensor,
  { mean, std, scalingFactor }: LatentStatistics,
): Float32Tensor {
  return mapChannels(latents, (value, channel) => (Math.fround(value - mean[channel]!) * scalingFactor) / std[channel]!)
}

/** z · std / factor + mean: how the autoencoder sees them. */
export function denormalizeLatents(
  latents: Float32Tensor,
  { mean, std, scalingFactor }: LatentStatistics,
): Float32Tensor {
  return mapChannels(latents, (value, channel) => (value * std[channel]!) / scalingFactor + mean[channel]!)
}

function mapChannels(latents: Float32Tensor, map: (value: number, channel: number) => number): Float32Tensor {
  const { frames, height, width } = videoSizes(latents)
  const perChannel = frames * height * width
  return { ...latents, data: latents.data.map((value, index) => map(value, Math.floor(index / perChannel))) }
}

/** What the encoder believes of a picture: mean and log variance; the latter is the same for all channels. */
export interface Posterior {
  /** `[1, C, f, h, w]`. */
  readonly mean: Float32Tensor
  /** `[1, 1, f, h, w]`. */
  readonly logvar: Float32Tensor
}

/** mean + exp(logvar / 2) · noise, with logvar clamped to -30..20. */
export function samplePosterior({ mean, logvar }: Posterior, noise: Float32Tensor): Float32Tensor {
  const places = logvar.data.length
  const deviations = logvar.data.map((value) => Math.exp(0.5 * Math.min(20, Math.max(-30, value))))
  return {
    ...mean,
    data: mean.data.map((value, index) => value + deviations[index % places]! * noise.data[index]!),
  }
}

/** a + weight · (b - a). */
export function interpolate(a: Float32Tensor, b: Float32Tensor, weight: number): Float32Tensor {
  return { ...a, data: a.data.map((value, index) => (1 - weight) * value + weight * b.data[index]!) }
}

/** A copy of `latents` in which the frames from `first` on are those of `frames`. */
export function replaceFrames(latents: Float32Tensor, frames: Float32Tensor, first = 0): Float32Tensor {
  const { channels, frames: count, height, width } = videoSizes(latents)
  const area = height * width
  const length = videoSizes(frames).frames * area
  const data = Float32Array.from(latents.data)
  for (let channel = 0; channel < channels; channel++) {
    data.set(frames.data.subarray(channel * length, (channel + 1) * length), (channel * count + first) * area)
  }
  return { ...latents, data }
}

/** Frames `first..first + count` of latents. */
export function takeFrames(latents: Float32Tensor, first: number, count: number): Float32Tensor {
  const { channels, frames, height, width } = videoSizes(latents)
  const area = height * width
  const taken = float32Tensor([1, channels, count, height, width])
  for (let channel = 0; channel < channels; channel++) {
    const start = (channel * frames + first) * area
    taken.data.set(latents.data.subarray(start, start + count * area), channel * count * area)
  }
  return taken
}

/** Puts token lists one after the other. */
export function joinTokens(parts: readonly Float32Tensor[]): Float32Tensor {
  const sizes = parts.map(matrixSizes)
  const [first] = sizes
  if (first === undefined) throw new RangeError('There are no tokens to join.')
  const joined = float32Tensor([sizes.reduce((sum, [tokens]) => sum + tokens, 0), first[1]])
  let offset = 0
  for (const part of parts) {
    joined.data.set(part.data, offset)
    offset += part.data.length
  }
  return joined
}
