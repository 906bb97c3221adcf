/** Where a picture has most to see, so that the camera does not approach the sky beside the rocket. */

import { cropAndScale } from '../../media/crop.ts'
import type { Picture } from '../../media/frame.ts'
import type { Point } from './motion.ts'

/** Longer side of the picture that is looked at. */
const side = 96

/** The middle of the picture's detail: edges count by their strength, more in the middle of the picture than at its borders. */
export async function findFocus(picture: Picture): Promise<Point> {
  const scale = Math.min(side / Math.max(picture.width, picture.height), 1)
  const width = Math.max(Math.round(picture.width * scale), 1)
  const height = Math.max(Math.round(picture.height * scale), 1)
  const { data } = await cropAndScale(
    picture,
    { x: 0, y: 0, width: picture.width, height: picture.height },
    { width, height },
  )
  let [sum, x, y] = [0, 0, 0]
  for (let row = 1; row < height - 1; row++) {
    for (let column = 1; column < width - 1; column++) {
      const weight = edge(data, width, row, column) ** 2 * middle(column / width) * middle(row / height)
      sum += weight
      x += weight * (column + 0.5)
      y += weight * (row + 0.5)
    }
  }
  return sum === 0 ? { x: 0.5, y: 0.5 } : { x: x / sum / width, y: y / sum / height }
}

function edge(data: Uint8Array, width: number, row: number, column: number): number {
  const pixel = (row * width + column) * 3
  let strength = 0
  for (let channel = 0; channel < 3; channel++) {
    const at = (offset: number) => data[pixel + channel + offset * 3]!
    strength += Math.abs(at(1) - at(-1)) + Math.abs(at(width) - at(-width))
  }
  return strength
}

function middle(share: number): number {
  return Math.sin(Math.PI * share)
}
