/** Pictures in and frames out: between 8-bit colours and the network's numbers. */

import { bilinearPlaces, mix } from '../../media/bilinear.ts'
import { cutOut } from '../../media/cut-out.ts'
import { checkSamples, type Frame, type Picture } from '../../media/frame.ts'
import { resizePicture } from '../../media/lanczos.ts'
import { float32Tensor, videoSizes, type Float32Tensor } from '../../onnx/index.ts'

/**
 * The largest part in the middle of a picture that has the asked-for aspect ratio, resized: never stretched.
 */
export function coverPicture(picture: Picture, width: number, height: number): Picture {
  const scale = Math.min(picture.width / width, picture.height / height)
  const cutWidth = Math.min(picture.width, Math.max(1, Math.round(width * scale)))
  const cutHeight = Math.min(picture.height, Math.max(1, Math.round(height * scale)))
  return resizePicture(cutMiddle(picture, cutWidth, cutHeight), width, height)
}

/** The middle of a picture, not larger than it. */
export function cutMiddle(picture: Picture, width: number, height: number): Picture {
  const x = Math.floor((picture.width - width) / 2)
  const y = Math.floor((picture.height - height) / 2)
  return cutOut(picture, { x, y, width, height })
}

/** `[1, 3, 1, H, W]` in -1..1. */
export function pictureToPixels(picture: Picture): Float32Tensor {
  checkSamples(picture)
  const { width, height, data } = picture
  const pixels = float32Tensor([1, 3, 1, height, width])
  const area = width * height
  for (let place = 0; place < area; place++) {
    for (let channel = 0; channel < 3; channel++)
      pixels.data[channel * area + place] = 2 * Math.fround(data[place * 3 + channel]! / 255) - 1
  }
  return pixels
}

/** Frames of pixels `[1, 3, F, H, W]`: -1..1 becomes 0..255, what is beyond is cut off. */
export function* pixelsToFrames(pixels: Float32Tensor): Generator<Frame> {
  const { frames, height, width } = videoSizes(pixels)
  const area = height * width
  for (let frame = 0; frame < frames; frame++) {
    const data = new Uint8ClampedArray(area * 3)
    for (let channel = 0; channel < 3; channel++) {
      const start = (channel * frames + frame) * area
      for (let place = 0; place < area; place++)
        data[place * 3 + channel] = (pixels.data[start + place]! / 2 + 0.5) * 255
    }
    yield { width, height, data: new Uint8Array(data.buffer) }
  }
}

/** Every frame resized between its neighbouring pixels' centres (bilinear, without smoothing), as torch's `interpolate` does. */
export function resizePixels(pixels: Float32Tensor, width: number, height: number): Float32Tensor {
  const { channels, frames, height: fromHeight, width: fromWidth } = videoSizes(pixels)
  if (fromHeight === height && fromWidth === width) return pixels
  const resized = float32Tensor([1, channels, frames, height, width])
  const columns = bilinearPlaces(fromWidth, width)
  const rows = bilinearPlaces(fromHeight, height)
  let place = 0
  for (let plane = 0; plane < channels * frames; plane++) {
    const start = plane * fromHeight * fromWidth
    for (const row of rows) {
      const upper = start + row.first * fromWidth
      const lower = start + row.second * fromWidth
      for (const column of columns) {
        const top = mix(pixels.data[upper + column.first]!, pixels.data[upper + column.second]!, column.weight)
        const bottom = mix(pixels.data[lower + column.first]!, pixels.data[lower + column.second]!, column.weight)
        resized.data[place++] = mix(top, bottom, row.weight)
      }
    }
  }
  return resized
}
