/** The picture as the graph samples it: nothing in it is finer than the frame can show, and it has several samples for each of the frame's pixels. */

import type { Picture } from '../engine.ts'
import { cropAndScale, type Rectangle, type Size } from '../../media/cover.ts'
import { float32Tensor, type Float32Tensor } from '../../onnx/index.ts'

/** Samples for each pixel of the frame and axis: linear interpolation between so many blurs less than a twentieth at the finest detail. */
const density = 3
/** Above this many samples (100 MB as floats) the density gives way. */
const most = 9_000_000

/**
 * Cuts out the `seen` part of the picture and resamples it: first down to the resolution that the frame has at its widest view, where the
 * picture has more (Lanczos; this is what prevents aliasing), then up to `density` samples a pixel (bicubic).
 *
 * @param widest width of the widest view in the picture's pixels
 * @returns `[1, 3, h, w]`, each sample plus 0.5 (see `cameraGraph`)
 */
export async function workingPicture(
  picture: Picture,
  seen: Rectangle,
  widest: number,
  frame: Size,
): Promise<Float32Tensor> {
  const scale = frame.width / widest
  const whole = { x: 0, y: 0, width: picture.width, height: picture.height }
  const limited = scale < 1 ? await cropAndScale(picture, seen, scaled(seen, scale)) : undefined
  const wanted = density * Math.min(1, Math.sqrt(most / (seen.width * seen.height)) / scale / density)
  const size = scaled(seen, scale * wanted)
  const dense = limited
    ? await cropAndScale(limited, { ...whole, width: limited.width, height: limited.height }, size)
    : await cropAndScale(picture, seen, size)
  return planes(dense)
}

function scaled(size: Size, scale: number): Size {
  return { width: Math.max(Math.round(size.width * scale), 1), height: Math.max(Math.round(size.height * scale), 1) }
}

function planes({ width, height, data }: Picture): Float32Tensor {
  const count = width * height
  const samples = new Float32Array(count * 3)
  for (let pixel = 0, byte = 0; pixel < count; pixel++) {
    samples[pixel] = data[byte++]! + 0.5
    samples[pixel + count] = data[byte++]! + 0.5
    samples[pixel + 2 * count] = data[byte++]! + 0.5
  }
  return float32Tensor([1, 3, height, width], samples)
}
