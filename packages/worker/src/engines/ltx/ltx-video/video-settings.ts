/** A request in the pipeline's own terms. */

import { EngineError } from '../../../failure.ts'
import type { Picture } from '../../../media/frame.ts'
import type { EngineRequest } from '../../engine.ts'
import { filmPicture, samplePicture, type Filming } from '../filmed-picture.ts'
import { coverPicture, pictureToPixels } from '../picture.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { GivenPicture, VideoSettings } from './generate.ts'
import type { Recipe } from './recipe.ts'
import { adjusted } from './resolve.ts'

/**
 * The settings of a request as the recipe makes a video with them; a number of frames that latents cannot hold becomes the next one that they can.
 * @throws EngineError `invalid_settings` for an `image_crf` where no picture can go through H.264; {@link resolveVideo} asks for none there
 */
export function videoSettings(
  { vae }: Pick<Checkpoint, 'vae'>,
  recipe: Recipe,
  { picture, keyframes = [], settings }: EngineRequest,
  filming: Filming,
): VideoSettings {
  const { time } = vae.config.compression
  const { width, height } = settings
  const crf = settings.image_crf ?? (filming.roundTrip === undefined ? 0 : recipe.imageCrf)
  if (crf > 0 && filming.roundTrip === undefined)
    throw new EngineError('invalid_settings', `image_crf: ${crf} cannot be had here: ${filming.reason}. Ask for 0.`)
  const first = { picture, frame: 0, strength: settings.image_strength ?? 1 }
  const at = (given: Picture): GivenPicture['at'] =>
    recipe.follows === 'authors'
      ? filmed(given, { width, height, crf, roundTrip: filming.roundTrip })
      : (toWidth, toHeight) => pictureToPixels(coverPicture(given, toWidth, toHeight))
  return {
    prompt: settings.prompt,
    negativePrompt: settings.negative_prompt ?? recipe.negativePrompt,
    pictures: [first, ...keyframes].map((given) => ({
      at: at(given.picture),
      frame: given.frame,
      strength: given.strength,
    })),
    width,
    height,
    frames: Math.ceil((settings.num_frames - 1) / time) * time + 1,
    framesPerSecond: settings.fps,
    recipe: adjusted(recipe, settings),
  }
}

/** Made ready once, when the first pass asks for it; each pass takes it at its own size. */
function filmed(picture: Picture, options: Parameters<typeof filmPicture>[1]): GivenPicture['at'] {
  let ready: Promise<Picture> | undefined
  return async (width, height) => samplePicture(await (ready ??= filmPicture(picture, options)), width, height)
}
