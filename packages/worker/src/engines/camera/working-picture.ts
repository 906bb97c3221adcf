/** The picture as the graph samples it: nothing in it is finer than the frame can show, and it has several samples for each of the frame's pixels. */

import { cropAndScale, type Rectangle, type Size } from '../../media/crop.ts'
import { blueDifferenceOf, lumaOf, redDifferenceOf } from '../../media/frame-colour.ts'
import type { Picture } from '../../media/frame.ts'
import { float32Tensor, type Float32Tensor } from '../../onnx/index.ts'

/** Samples for each pixel of the frame and axis: linear interpolation between so many blurs less than a twentieth at the finest detail. */
const density = 3
/** Above this many samples (100 MB as floats) the density gives way. */
const most = 9_000_000

/** Brightness and colour of the picture, at the resolutions that luma and chroma of the video have; each sample plus 0.5 (see `cameraGraph`). */
export interface Planes {
  /** `[1, 1, h, w]` */
  readonly luma: Float32Tensor
  /** Cb and Cr, `[1, 2, h', w']` */
  readonly chroma: Float32Tensor
}

/**
 * @param seen the part of the picture that the camera sees
 * @param widest width of the widest view in the picture's pixels
 */
export async function workingPicture(picture: Picture, seen: Rectangle, widest: number, frame: Size): Promise<Planes> {
  const fine = await resample(picture, seen, frame.width / widest)
  const coarse = await resample(picture, seen, frame.width / 2 / widest)
  return { luma: planes(fine, [lumaOf]), chroma: planes(coarse, [blueDifferenceOf, redDifferenceOf]) }
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

function planes({ width, height, data }: Picture, components: readonly Component[]): Float32Tensor {
  const count = width * height
  const samples = new Float32Array(count * components.length)
  for (const [index, component] of components.entries()) {
    for (let pixel = 0, byte = 0, out = index * count; pixel < count; pixel++, byte += 3) {
      samples[out++] = component(data[byte]!, data[byte + 1]!, data[byte + 2]!) + 0.5
    }
  }
  return float32Tensor([1, components.length, height, width], samples)
}
