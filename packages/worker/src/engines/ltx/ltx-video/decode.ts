/** What a recipe does to its latents before the decoder has them. */

import type { Draws } from '../../../flow/draws.ts'
import type { Float32Tensor } from '../../../onnx/index.ts'
import { interpolate } from '../latents.ts'
import type { DecodeNoise } from '../vae/decoding.ts'
import type { Checkpoint } from './checkpoint.ts'
import { hasTwoPasses } from './generate.ts'
import { toneMap } from './multi-scale.ts'
import type { Recipe } from './recipe.ts'

export interface DecoderInput {
  /** Normalised `[1, C, F, h, w]`. */
  readonly latents: Float32Tensor
  /** What decoding has yet to do with them. */
  readonly noise: DecodeNoise
}

/**
 * Noises and compresses latents as whoever the recipe follows does it: the authors mix the decoder's noise into normalised latents, and compress those of a
 * second pass then; diffusers mixes it into denormalised ones, which is left to decoding, and has compressed before.
 * @param latents normalised `[1, C, F, h, w]`
 */
export function readyForDecoder(
  { checkpoint }: { readonly checkpoint: Pick<Checkpoint, 'vae' | 'upsampler'> },
  latents: Float32Tensor,
  recipe: Recipe,
  draws: Draws,
): DecoderInput {
  const { decodeTimestep, decodeNoise, multiScale } = recipe
  if (recipe.follows === 'diffusers') return { latents, noise: { decodeTimestep, decodeNoise } }
  const { timestepConditioning } = checkpoint.vae.config.decoder
  const noised = timestepConditioning ? interpolate(latents, draws.normal(latents.shape), decodeNoise) : latents
  const compression = hasTwoPasses(checkpoint, recipe) ? (multiScale?.toneMap ?? 0) : 0
  return { latents: compression > 0 ? toneMap(noised, compression) : noised, noise: { decodeTimestep } }
}
