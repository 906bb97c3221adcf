/** Turns given pictures into what the loop starts from, for each kind of checkpoint. The order of the draws is diffusers'. */

import type { Draws } from '../../../flow/draws.ts'
import { float32Tensor, matrixSizes, videoSizes, type Float32Tensor } from '../../../onnx/index.ts'
import { gridCoordinates, joinCoordinates, tokenCount, type Compression, type LatentSize } from '../coordinates.ts'
import type { LatentStatistics } from '../latents.ts'
import {
  interpolate,
  joinTokens,
  latentShape,
  normalizeLatents,
  packLatents,
  replaceFrames,
  samplePosterior,
  takeFrames,
  type Posterior,
} from '../latents.ts'
import type { DenoiseStart } from './denoise.ts'

/** A picture, encoded, and its place in the video. */
export interface Keyframe {
  readonly posterior: Posterior
  /** Which frame of the video it is, 0..num_frames - 1. */
  readonly frame: number
  /** 0..1: 1 keeps it as it is. */
  readonly strength: number
}

export interface Geometry {
  readonly size: LatentSize
  readonly compression: Compression
  readonly framesPerSecond: number
  readonly causalCoordinates: boolean
}

/** Latents to start from instead of pure noise: normalised `[1, C, F, H, W]`, noised to `sigma`. */
export interface InitialLatents {
  readonly latents: Float32Tensor
  readonly sigma: number
}

/** 0.9.0 and 0.9.1: the picture is the first latent frame, wholly given; the rest is noise. Draws: the picture's latents, then the noise. */
export function startImageToVideo(
  picture: Posterior,
  geometry: Geometry,
  statistics: LatentStatistics,
  draws: Draws,
): DenoiseStart {
  const first = normalizeLatents(samplePosterior(picture, draws.normal(picture.mean.shape)), statistics)
  const noise = draws.normal(latentShape(videoSizes(first).channels, geometry.size))
  return {
    latents: packLatents(replaceFrames(noise, first)),
    strengths: frameStrengths(geometry.size, [1]),
    coordinates: videoCoordinates(geometry),
  }
}

/**
 * 0.9.5 and later: a picture at frame 0 is mixed into the first latent frame; one at another frame becomes tokens of its own in front, with the
 * coordinates of that frame, which are dropped at the end. Draws: the video's noise, then for each picture its latents and, away from frame 0, its noise.
 */
export function startConditioned(
  keyframes: readonly Keyframe[],
  geometry: Geometry,
  channels: number,
  statistics: LatentStatistics,
  draws: Draws,
  initial?: InitialLatents,
): DenoiseStart & { readonly extraTokens: number } {
  const noise = draws.normal(latentShape(channels, geometry.size))
  let latents = initial === undefined ? noise : interpolate(initial.latents, noise, initial.sigma)
  let firstStrength = 0
  const extra: { tokens: Float32Tensor; strength: number; frame: number; size: LatentSize }[] = []
  for (const { posterior, frame, strength } of keyframes) {
    const encoded = normalizeLatents(samplePosterior(posterior, draws.normal(posterior.mean.shape)), statistics)
    const { frames, height, width } = videoSizes(encoded)
    if (frame === 0) {
      latents = replaceFrames(latents, interpolate(takeFrames(latents, 0, frames), encoded, strength))
      firstStrength = strength
    } else {
      const noised = interpolate(draws.normal(encoded.shape), encoded, strength)
      extra.push({ tokens: packLatents(noised), strength, frame, size: { frames, height, width } })
    }
  }
  const extraCoordinates = extra.map(({ size, frame }) =>
    gridCoordinates(size, geometry.compression, geometry.framesPerSecond, {
      causal: geometry.causalCoordinates,
      firstFrame: frame,
    }),
  )
  const extraStrengths = extra.flatMap(({ tokens, strength }) =>
    Array.from<number>({ length: matrixSizes(tokens)[0] }).fill(strength),
  )
  return {
    latents: joinTokens([...extra.map((one) => one.tokens), packLatents(latents)]),
    strengths: Float32Array.from([...extraStrengths, ...frameStrengths(geometry.size, [firstStrength])]),
    coordinates: joinCoordinates([...extraCoordinates, videoCoordinates(geometry)]),
    extraTokens: extraStrengths.length,
  }
}

/** Removes the tokens that {@link startConditioned} put in front. */
export function dropExtraTokens(latents: Float32Tensor, extraTokens: number): Float32Tensor {
  const [tokens, channels] = matrixSizes(latents)
  return float32Tensor([tokens - extraTokens, channels], latents.data.slice(extraTokens * channels))
}

function videoCoordinates({ size, compression, framesPerSecond, causalCoordinates }: Geometry) {
  return gridCoordinates(size, compression, framesPerSecond, { causal: causalCoordinates })
}

/** The strength of each token, given those of the first latent frames. */
function frameStrengths(size: LatentSize, perFrame: readonly number[]): Float32Array {
  const area = size.height * size.width
  return Float32Array.from({ length: tokenCount(size) }, (_, token) => perFrame[Math.floor(token / area)] ?? 0)
}
