/** The picture as the sampler reads it: nothing in it is finer than the frame can show, and it has several samples for each of the frame's pixels. */

import { cropAndScale, type Rectangle, type Size } from '../../media/crop.ts'
import { blueDifferenceOf, lumaOf, redDifferenceOf } from '../../media/frame-colour.ts'
import type { Picture } from '../../media/frame.ts'

/** Samples for each pixel of the frame and axis: linear interpolation between so many blurs less than a twentieth at the finest detail. */
const density = 3
/** Above this many samples (20 MB) the density gives way. */
const most = 9_000_000

/** Samples of one resolution. */
export interface Plane {
  readonly width: number
  readonly height: number
  /** Samples from one row to the next: one more than the width, as each row and each column repeats its last, so that a place at the border has neighbours. */
  readonly stride: number
  /** `[height + 1, width + 1]` for each component, in 16ths of a level. */
  readonly parts: readonly Uint16Array[]
}

/** Brightness and colour of the picture, at the resolutions that luma and chroma of the video have. */
export interface Planes {
  readonly luma: Plane
  /** Cb and Cr. */
  readonly chroma: Plane
}

/**
 * @param seen the part of the picture that the camera sees
 * @param widest width of the widest view in the picture's pixels
 */
export async function workingPicture(picture: Picture, seen: Rectangle, widest: number, frame: Size): Promise<Planes> {
  const fine = await resample(picture, seen, frame.width / widest)
  const coarse = await resample(picture, seen, frame.width / 2 / widest)
  return { luma: plane(fine, [lumaOf]), chroma: plane(coarse, [blueDifferenceOf, redDifferenceOf]) }
}

/**
 * Cuts out the `seen` part of the picture and resamples it: first down to the resolution that the frame has at its widest view, where the
 * picture has more (Lanczos; this is what prevents aliasing), then up to `density` samples a pixel (bicubic).
 *
 * @param scale the frame's samples for each pixel of the picture, at the widest view
 */
async function resample(picture: Picture, seen: Rectangle, scale: number): Promise<Picture> {
  const dense = Math.min(density * scale, Math.sqrt(most / (seen.width * seen.height)))
  const size = scaled(seen, dense)
  if (scale >= 1) return cropAndScale(picture, seen, size)
  const limited = await cropAndScale(picture, seen, scaled(seen, scale))
  return cropAndScale(limited, { x: 0, y: 0, width: limited.width, height: limited.height }, size)
}

function scaled(size: Size, scale: number): Size {
  return { width: Math.max(Math.round(size.width * scale), 1), height: Math.max(Math.round(size.height * scale), 1) }
}

type Component = (r: number, g: number, b: number) => number

function plane({ width, height, data }: Picture, components: readonly Component[]): Plane {
  const stride = width + 1
  const parts = components.map((component) => {
    const samples = new Uint16Array(stride * (height + 1))
    for (let row = 0, byte = 0; row < height; row++) {
      const start = row * stride
      for (let column = 0; column < width; column++, byte += 3) {
        samples[start + column] = component(data[byte]!, data[byte + 1]!, data[byte + 2]!) * 16 + 0.5
      }
      samples[start + width] = samples[start + width - 1]!
    }
    samples.copyWithin(stride * height, stride * (height - 1), stride * height)
    return samples
  })
  return { width, height, stride, parts }
}
