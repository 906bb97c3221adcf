/** What holds for the pictures of any video. */

import { EngineError } from '../failure.ts'

/**
 * Each picture at a frame of its own, with a strength.
 * @param frames how many the video has
 * @throws EngineError `invalid_settings` that names the picture
 */
export function checkPlaces(
  pictures: readonly { readonly frame: number; readonly strength: number }[],
  frames: number,
): void {
  const taken = new Map<number, number>()
  for (const [index, { frame, strength }] of pictures.entries()) {
    const refuse = (what: string): never => {
      throw new EngineError('invalid_settings', `Picture ${index + 1} of ${pictures.length} ${what}`)
    }
    if (!Number.isInteger(frame)) refuse(`is to stand at frame ${frame}, which is no whole number.`)
    if (frame < 0 || frame >= frames) {
      refuse(
        `is to stand at frame ${frame}, but the video has the frames 0 to ${frames - 1}. Move it, or ask for a longer video.`,
      )
    }
    if (!(strength >= 0 && strength <= 1)) refuse(`has the strength ${strength}; it must be 0 to 1.`)
    const other = taken.get(frame)
    if (other !== undefined) refuse(`stands at frame ${frame}, where picture ${other + 1} is. Give each its own.`)
    taken.set(frame, index)
  }
}
