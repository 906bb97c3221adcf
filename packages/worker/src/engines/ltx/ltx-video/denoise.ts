/** The loop: from noise to latents, one step of the flow at a time. */

import type { Draws } from '../../../flow/draws.ts'
import { guide, isGuided, perturbedBlocks, type Guidance } from '../../../flow/guidance.ts'
import type { Sampler } from '../../../flow/sampler.ts'
import type { ElementRange } from '../../../flow/torch-random.ts'
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
  /** Blocks that are weakened, for spatio-temporal guidance. @default none */
  readonly perturbed?: readonly number[]
}

export type Denoiser = (input: DenoiserInput) => Promise<Float32Tensor>

export interface DenoiseOptions {
  readonly sampler: Sampler
  /** The guidance at a sigma. */
  readonly guidance: (sigma: number) => Guidance
  readonly prompt: Float32Tensor
  /** Needed with guidance only. */
  readonly negativePrompt?: Float32Tensor | undefined
  /** Strength of the noise put on given pictures at each step, times sigma squared; keeps them from freezing the video. @default 0 */
  readonly imageNoise?: number
  /** Waited for before each step; may throw to stop. */
  readonly beforeStep?: (step: number) => void | Promise<void>
  /** Called after each step. The latents are those of the loop: who wants to keep them copies them. */
  readonly afterStep?: (step: number, latents: Float32Tensor) => void
}

/** Guided predictions, one after the other, each brought to the next level of noise by the sampler. */
export async function denoise(
  start: DenoiseStart,
  denoiser: Denoiser,
  draws: Draws,
  options: DenoiseOptions,
): Promise<Float32Tensor> {
  const { sampler, imageNoise = 0 } = options
  // A copy: pictures are noised where they lie.
  let latents = float32Tensor(start.latents.shape, start.latents.data.slice())
  for (let step = 0; step < sampler.steps; step++) {
    await options.beforeStep?.(step)
    const { sigma, timesteps } = sampler.levelAt(step)
    if (imageNoise > 0) noisePictures(latents, start, imageNoise * sigma ** 2, draws)
    const velocity = await predict(latents, timesteps, start, denoiser, {
      ...options,
      guidance: options.guidance(sigma),
    })
    latents = sampler.step(step, latents, velocity)
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
  const input = { latents, timesteps, coordinates }
  const guided = isGuided(guidance) && negativePrompt !== undefined
  const blocks = perturbedBlocks(guidance)
  const positive = await denoiser({ ...input, text: prompt })
  if (!guided && blocks.length === 0) return positive
  return guide(
    {
      positive,
      negative: guided ? await denoiser({ ...input, text: negativePrompt }) : undefined,
      perturbed: blocks.length > 0 ? await denoiser({ ...input, text: prompt, perturbed: blocks }) : undefined,
    },
    guidance,
  )
}

/** Puts fresh noise on the tokens that are wholly given, in place; always from their first state, so that it does not add up. */
function noisePictures({ shape, data }: Float32Tensor, start: DenoiseStart, amount: number, draws: Draws): void {
  const [, channels] = matrixSizes(start.latents)
  const given = givenElements(start.strengths, channels)
  const noises = draws.normalParts([1, ...shape], given)
  for (const [part, { start: first, end }] of given.entries()) {
    const noise = noises[part]!
    for (let index = first; index < end; index++)
      data[index] = start.latents.data[index]! + amount * noise[index - first]!
  }
}

/** Where the values of wholly given tokens lie. */
function givenElements(strengths: Float32Array, channels: number): ElementRange[] {
  const ranges: ElementRange[] = []
  for (let token = 0; token < strengths.length; token++) {
    if (strengths[token]! <= 1 - 1e-6) continue
    const first = token
    while (token < strengths.length && strengths[token]! > 1 - 1e-6) token++
    ranges.push({ start: first * channels, end: token * channels })
  }
  return ranges
}
