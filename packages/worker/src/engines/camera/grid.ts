/** The mathematics between a pose and GridSample's grid: five numbers for each pixel, times ten numbers for each frame. */

import type { Rectangle, Size } from '../../media/cover.ts'
import { float32Tensor, type Float32Tensor } from '../../onnx/index.ts'
import type { Pose } from './path.ts'

/**
 * What a frame's pixels have to do with its grid, whatever the pose: `[height * width, 5]`, for each pixel X, Y, 1, X·r², Y·r².
 * X and Y are the pixel's middle measured from the frame's middle in half widths, r is 1 in the corners.
 */
export function pixelFeatures(frame: Size): Float32Tensor {
  const features = new Float32Array(frame.width * frame.height * 5)
  const half = frame.width / 2
  const corner = 1 + (frame.height / frame.width) ** 2
  let offset = 0
  for (let row = 0; row < frame.height; row++) {
    const y = (row + 0.5 - frame.height / 2) / half
    for (let column = 0; column < frame.width; column++) {
      const x = (column + 0.5 - half) / half
      const r2 = (x * x + y * y) / corner
      features.set([x, y, 1, x * r2, y * r2], offset)
      offset += 5
    }
  }
  return float32Tensor([frame.width * frame.height, 5], features)
}

/**
 * The matrix `[5, 2]` that turns a frame's features into its grid over the `seen` part of the picture, whose borders are -1 and 1.
 * A point of the frame lies at pose + width/2 · rotation · (X, Y) · (1 - depth · r²) in the picture.
 */
export function gridMatrix(pose: Pose, seen: Rectangle): Float32Array {
  const alongX = pose.width / seen.width
  const alongY = pose.width / seen.height
  const [cos, sin] = [Math.cos(pose.angle), -Math.sin(pose.angle)]
  const xs = [alongX * cos, alongY * sin] as const
  const ys = [alongX * -sin, alongY * cos] as const
  const middle = [(2 * (pose.x - seen.x)) / seen.width - 1, (2 * (pose.y - seen.y)) / seen.height - 1] as const
  const bend = -pose.depth
  return Float32Array.of(...xs, ...ys, ...middle, bend * xs[0], bend * xs[1], bend * ys[0], bend * ys[1])
}
