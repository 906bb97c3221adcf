/** The loop: from noise to latents, one step of the flow at a time. */

import type { Draws } from '../../../flow/draws.ts'
import { guide, isGuided, type Guidance } from '../../../flow/guidance.ts'
import { nextSigma } from '../../../flow/schedule.ts'
import { float32Tensor, matrixSizes, type Float32Tensor } from '../../../onnx/index.ts'
import type { Coordinates } from '../coordinates.ts'

/** What the loop starts from. */
export interface DenoiseStart {
  /** `[tokens, C]`: noise, and pictures where they are given. */
  readonly latents: Float32Tensor
  /** `[tokens]`, 0..1: how much of a token is given by a picture. 1 stays as it is. */
  readonly strengths: Float32Array
  readonly coordinates: Coordinates
}

/** One run of the transformer. */
export interface DenoiserInput {
  readonly latents: Float32Tensor
  /** `[tokens]`: sigmas times 1000. */
  readonly timesteps: Float32Array
  readonly coordinates: Coordinates
  /** `[textTokens, width]`, without padding. */
  readonly text: Float32Tensor
}

export type Denoiser = (input: DenoiserInput) => Promise<Float32Tensor>

export interface DenoiseOptions {
  /** Descending, with the 0 at the end: one step less than there are values. */
  readonly sigmas: Float32Array
  /** The guidance at a sigma. */
  readonly guidance: (sigma: number) => Guidance
  readonly prompt: Float32Tensor
  /** Needed with guidance only. */
  readonly negativePrompt?: Float32Tensor | undefined
  /** Strength of the noise put on given pictures at each step, times sigma squared; keeps them from freezing the video. @default 0 */
  readonly imageNoise?: number
  /** Draws fresh noise at each step. @default false */
  readonly stochastic?: boolean
  /** Waited for before each step; may throw to stop. */
  readonly beforeStep?: (step: number) => void | Promise<void>
  /** Called after each step. */
  readonly afterStep?: (step: number, latents: Float32Tensor) => void
}

const timestepsPerSigma = 1000

/**
 * Each token moves from its own sigma to the next scheduled one below: x + (next - sigma) · v. A token given by a picture to the degree s is never
 * noisier than 1 - s, so it waits until the schedule has come down to that.
 */
export async function denoise(
  start: DenoiseStart,
  denoiser: Denoiser,
  draws: Draws,
  options: DenoiseOptions,
): Promise<Float32Tensor> {
  const { sigmas, imageNoise = 0, stochastic = false } = options
  let latents = start.latents
  for (let step = 0; step + 1 < sigmas.length; step++) {
    await options.beforeStep?.(step)
    const timestep = Math.fround(sigmas[step]! * timestepsPerSigma)
    const sigma = Math.fround(timestep / timestepsPerSigma)
    if (imageNoise > 0) latents = noisePictures(latents, start, imageNoise * sigma ** 2, draws)
    const timesteps = start.strengths.map((strength) =>
      Math.min(timestep, Math.fround(Math.fround(1 - strength) * timestepsPerSigma)),
    )
    const velocity = await predict(latents, timesteps, start, denoiser, {
      ...options,
      guidance: options.guidance(sigma),
    })
    const noise = stochastic ? draws.normal([1, ...latents.shape]) : undefined
    latents = eulerStep(latents, velocity, { sigma, sigmas, timesteps, strengths: start.strengths, noise })
    options.afterStep?.(step, latents)
  }
  return latents
}

async function predict(
  latents: Float32Tensor,
  timesteps: Float32Array,
  { coordinates }: DenoiseStart,
  denoiser: Denoiser,
  { guidance, prompt, negativePrompt }: Pick<DenoiseOptions, 'prompt' | 'negativePrompt'> & { guidance: Guidance },
): Promise<Float32Tensor> {
  const positive = await denoiser({ latents, timesteps, coordinates, text: prompt })
  if (!isGuided(guidance) || negativePrompt === undefined) return positive
  return guide(positive, await denoiser({ latents, timesteps, coordinates, text: negativePrompt }), guidance)
}

/** Puts fresh noise on the tokens that are wholly given; always from their first state, so that it does not add up. */
function noisePictures(latents: Float32Tensor, start: DenoiseStart, amount: number, draws: Draws): Float32Tensor {
  const noise = draws.normal([1, ...latents.shape])
  return mapTokens(latents, (value, index, token) =>
    start.strengths[token]! > 1 - 1e-6 ? start.latents.data[index]! + amount * noise.data[index]! : value,
  )
}

interface EulerStep {
  readonly sigma: number
  readonly sigmas: Float32Array
  readonly timesteps: Float32Array
  readonly strengths: Float32Array
  readonly noise: Float32Tensor | undefined
}

function eulerStep(latents: Float32Tensor, velocity: Float32Tensor, step: EulerStep): Float32Tensor {
  const { sigma, sigmas, noise } = step
  const current = step.timesteps.map((timestep) => timestep / timestepsPerSigma)
  const next = current.map((tokenSigma) => nextSigma(sigmas, tokenSigma))
  return mapTokens(latents, (value, index, token) => {
    if (sigma - 1e-6 >= 1 - step.strengths[token]!) return value
    const from = current[token]!
    const to = next[token]!
    const v = velocity.data[index]!
    if (noise === undefined) return value + Math.fround(to - from) * v
    return (1 - to) * (value - from * v) + to * noise.data[index]!
  })
}

function mapTokens(
  latents: Float32Tensor,
  map: (value: number, index: number, token: number) => number,
): Float32Tensor {
  const [, channels] = matrixSizes(latents)
  const mapped = float32Tensor(latents.shape)
  for (let index = 0; index < mapped.data.length; index++)
    mapped.data[index] = map(latents.data[index]!, index, Math.floor(index / channels))
  return mapped
}
