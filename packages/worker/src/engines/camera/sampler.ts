/** Looks at the picture from a pose: linear interpolation between its samples, a frame as yuv420p stores it. */

import type { Rectangle, Size } from '../../media/crop.ts'
import type { Pose } from './path.ts'
import { chroma, luma, type Sampling, type View, viewOf } from './sampling.ts'
import type { Plane, Planes } from './working-picture.ts'

/**
 * One frame: luma `[height, width]`, then Cb and Cr `[height/2, width/2]`, a byte each.
 *
 * Loops over typed arrays: ONNX Runtime's GridSample takes two to three times as long on one thread, and does not use another for one channel.
 */
export function look(planes: Planes, frame: Size, pose: Pose, seen: Rectangle): Uint8Array {
  const pixels = frame.width * frame.height
  const result = new Uint8Array((pixels * 3) / 2)
  const [y, cb, cr] = [
    result.subarray(0, pixels),
    result.subarray(pixels, (pixels * 5) / 4),
    result.subarray((pixels * 5) / 4),
  ]
  sample(planes.luma, frame, luma, viewOf(pose, seen, planes.luma), [y])
  sample(planes.chroma, frame, chroma, viewOf(pose, seen, planes.chroma), [cb, cr])
  return result
}

/** Columns between two places that are worked out; those between lie on a line. A frame's width is a multiple of it, and chroma's half too. */
const BLOCK = 8
/** Fixed point within a block: 20 bits of fraction, of which 8 weigh the neighbours. */
const FRACTION = 20
const ONE = 2 ** FRACTION

function sample(plane: Plane, frame: Size, sampling: Sampling, view: View, outputs: readonly Uint8Array[]): void {
  const [columns, rows] = [frame.width / sampling.step, frame.height / sampling.step]
  const { width, height, stride } = plane
  const half = frame.width / 2
  const bend = view.depth / (1 + (frame.height / frame.width) ** 2)
  const [lastX, lastY] = [width - 1, height - 1]
  for (let row = 0; row < rows; row++) {
    const v = (sampling.y + row * sampling.step - frame.height / 2) / half
    let [fromX, fromY] = [0, 0]
    for (let column = 0; column <= columns; column += BLOCK) {
      const u = (sampling.x + column * sampling.step - half) / half
      const near = 1 - bend * (u * u + v * v)
      // Outside the plane lies what its border shows.
      const toX = between(view.x + near * (view.acrossX * u + view.downX * v), lastX)
      const toY = between(view.y + near * (view.acrossY * u + view.downY * v), lastY)
      if (column > 0) {
        const [left, top] = [Math.floor(fromX), Math.floor(fromY)]
        const start = row * columns + column - BLOCK
        for (let part = 0; part < outputs.length; part++) {
          interpolate(
            plane.parts[part]!,
            stride,
            top * stride + left,
            Math.round((fromX - left) * ONE),
            Math.round((fromY - top) * ONE),
            Math.round(((toX - fromX) * ONE) / BLOCK),
            Math.round(((toY - fromY) * ONE) / BLOCK),
            outputs[part]!,
            start,
          )
        }
      }
      fromX = toX
      fromY = toY
    }
  }
}

function between(value: number, last: number): number {
  return value < 0 ? 0 : value > last ? last : value
}

/**
 * A block of samples along a line.
 *
 * @param corner index of the sample to the upper left of the first place
 * @param x how far the first place lies right of it, in fixed point; y: down
 * @param stepX from one place to the next
 */
function interpolate(
  samples: Uint16Array,
  stride: number,
  corner: number,
  x: number,
  y: number,
  stepX: number,
  stepY: number,
  output: Uint8Array,
  start: number,
): void {
  for (let index = start; index < start + BLOCK; index++) {
    const right = (x >> (FRACTION - 8)) & 255
    const down = (y >> (FRACTION - 8)) & 255
    const at = corner + Math.imul(y >> FRACTION, stride) + (x >> FRACTION)
    const left = samples[at]!
    const leftBelow = samples[at + stride]!
    const above = (left << 8) + Math.imul(samples[at + 1]! - left, right)
    const below = (leftBelow << 8) + Math.imul(samples[at + stride + 1]! - leftBelow, right)
    // Sixteenths times 2^16, rounded to the nearest level.
    output[index] = ((above << 8) + Math.imul(below - above, down) + (1 << 19)) >> 20
    x = (x + stepX) | 0
    y = (y + stepY) | 0
  }
}
