/** Parts of pictures, pixel for pixel. */

import type { Rectangle } from './crop.ts'
import type { Picture } from './frame.ts'

/** A rectangle of whole pixels out of a picture, inside it; the picture itself where that is all of it. */
export function cutOut(picture: Picture, { x, y, width, height }: Rectangle): Picture {
  if (width === picture.width && height === picture.height) return picture
  const data = new Uint8Array(width * height * 3)
  for (let row = 0; row < height; row++) {
    const start = ((y + row) * picture.width + x) * 3
    data.set(picture.data.subarray(start, start + width * 3), row * width * 3)
  }
  return { width, height, data }
}
