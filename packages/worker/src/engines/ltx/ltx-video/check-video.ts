/** What a checkpoint can make, said before any network is loaded. */

import { EngineError } from '../../../failure.ts'
import { checkPlaces } from '../../keyframes.ts'
import type { Checkpoint } from './checkpoint.ts'

export interface VideoShape {
  readonly width: number
  readonly height: number
  readonly frames: number
  readonly framesPerSecond: number
  readonly pictures: readonly { readonly frame?: number; readonly strength?: number }[]
}

/**
 * @throws EngineError `invalid_settings` for a size, a number of frames, a frame rate or pictures that the checkpoint's latents cannot hold
 */
export function checkVideo(
  { keyframes, vae }: Pick<Checkpoint, 'keyframes' | 'vae'>,
  { width, height, frames, framesPerSecond, pictures }: VideoShape,
): void {
  const { time, space } = vae.config.compression
  const isWhole = (value: number) => Number.isInteger(value) && value > 0
  if (!isWhole(width / space) || !isWhole(height / space))
    refuse(`${width}x${height} is not made of multiples of ${space}. Ask for such a size.`)
  if (!isWhole(frames) || (frames - 1) % time !== 0)
    refuse(`A video of ${frames} frames cannot be made: they must be ${time}k + 1, such as ${nearest(frames, time)}.`)
  if (!(framesPerSecond > 0)) refuse(`${framesPerSecond} frames a second cannot be made.`)
  const places = pictures.map(({ frame = 0, strength = 1 }) => ({ frame, strength }))
  checkPlaces(places, frames)
  if (keyframes) return
  if (places.length > 1 || places.some(({ frame }) => frame !== 0))
    refuse('This checkpoint (0.9.0 or 0.9.1) takes one picture, at frame 0. Those from 0.9.5 on take others.')
  if (places.some(({ strength }) => strength !== 1))
    refuse('This checkpoint (0.9.0 or 0.9.1) always holds its picture: the strength can only be 1.')
}

function refuse(message: string): never {
  throw new EngineError('invalid_settings', message)
}

function nearest(frames: number, time: number): number {
  return Number.isFinite(frames) ? Math.max(0, Math.round((frames - 1) / time)) * time + 1 : time + 1
}
