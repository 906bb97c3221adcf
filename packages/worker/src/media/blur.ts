/** A light Gaussian blur. */

import { checkSamples, type Picture } from './frame.ts'

/**
 * Three by three pixels with a Gaussian of deviation 1, mirrored at the edges without repeating them, and rounded: torchvision's `gaussian_blur` with
 * `kernel_size=3, sigma=1`. The weights are exp(-x²/2) for x = -1, 0, 1, divided by their sum, down and across.
 */
export function blurPicture(picture: Picture): Picture {
  checkSamples(picture)
  const { width, height, data } = picture
  const blurred = new Uint8Array(data.length)
  const stride = width * 3
  /** One row, blurred downwards. */
  const column = new Float32Array(stride)
  for (let row = 0; row < height; row++) {
    const own = row * stride
    const above = mirrored(row - 1, height) * stride
    const below = mirrored(row + 1, height) * stride
    for (let index = 0; index < stride; index++)
      column[index] = middle * data[own + index]! + side * (data[above + index]! + data[below + index]!)
    for (let place = 0; place < width; place++) {
      const left = mirrored(place - 1, width) * 3
      const right = mirrored(place + 1, width) * 3
      for (let channel = 0; channel < 3; channel++) {
        const value =
          middle * column[place * 3 + channel]! + side * (column[left + channel]! + column[right + channel]!)
        blurred[own + place * 3 + channel] = Math.round(value)
      }
    }
  }
  return { width, height, data: blurred }
}

const middle = 1 / (1 + 2 * Math.exp(-0.5))
const side = (1 - middle) / 2

/** Beyond an edge lies what lies as far inside; a side of one pixel has only itself. */
function mirrored(index: number, size: number): number {
  if (size === 1) return 0
  return index < 0 ? -index : index >= size ? 2 * size - 2 - index : index
}
