/** The mathematics between a pose and GridSample's grid: five numbers for each pixel, times ten numbers for each frame. */

import type { Rectangle, Size } from '../../media/crop.ts'
import { float32Tensor, type Float32Tensor } from '../../onnx/index.ts'
import type { Pose } from './path.ts'

/** Where a plane's samples lie among the frame's pixels. */
export interface Sampling {
  /** Pixels of the frame from one sample to the next: 1 for luma, 2 for chroma. */
  readonly step: 1 | 2
  /** Place of the first sample, in pixels of the frame: its left upper corner is 0,0 and its first pixel's middle 0.5,0.5. */
  readonly x: number
  readonly y: number
}

export const luma: Sampling = { step: 1, x: 0.5, y: 0.5 }
/** H.264 places chroma samples at the left pixel of each pair, between the two rows. */
export const chroma: Sampling = { step: 2, x: 0.5, y: 1 }

/**
 * What a plane's samples have to do with its grid, whatever the pose: `[samples, 5]`, for each sample X, Y, 1, X·r², Y·r².
 * X and Y are the sample's place measured from the frame's middle in half widths of the frame, r is 1 in the corners.
 */
export function sampleFeatures(frame: Size, sampling: Sampling): Float32Tensor {
  const [columns, rows] = [frame.width / sampling.step, frame.height / sampling.step]
  const features = new Float32Array(columns * rows * 5)
  const half = frame.width / 2
  const corner = 1 + (frame.height / frame.width) ** 2
  let offset = 0
  for (let row = 0; row < rows; row++) {
    const y = (sampling.y + row * sampling.step - frame.height / 2) / half
    for (let column = 0; column < columns; column++) {
      const x = (sampling.x + column * sampling.step - half) / half
      const r2 = (x * x + y * y) / corner
      features[offset++] = x
      features[offset++] = y
      features[offset++] = 1
      features[offset++] = x * r2
      features[offset++] = y * r2
    }
  }
  return float32Tensor([columns * rows, 5], features)
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
