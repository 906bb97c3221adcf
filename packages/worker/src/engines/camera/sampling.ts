/** Where the samples of a frame lie in the picture, seen from a pose. */

import type { Rectangle, Size } from '../../media/crop.ts'
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
 * What turns a point of the frame into one of a plane: a point X, Y, measured from the frame's middle in half widths of the frame, lies at
 * `x + (1 - depth · r²) · (acrossX · X + downX · Y)` and the like for y, in samples of the plane, whose first has its middle at 0. r is 1 in the frame's corners.
 */
export interface View {
  readonly x: number
  readonly y: number
  readonly acrossX: number
  readonly acrossY: number
  readonly downX: number
  readonly downY: number
  readonly depth: number
}

/** @param seen the part of the picture that the plane shows, `plane.width` times `plane.height` samples of it */
export function viewOf(pose: Pose, seen: Rectangle, plane: Size): View {
  const [alongX, alongY] = [plane.width / seen.width, plane.height / seen.height]
  const [cos, sin] = [(Math.cos(pose.angle) * pose.width) / 2, (Math.sin(pose.angle) * pose.width) / 2]
  return {
    x: (pose.x - seen.x) * alongX - 0.5,
    y: (pose.y - seen.y) * alongY - 0.5,
    acrossX: cos * alongX,
    acrossY: -sin * alongY,
    downX: sin * alongX,
    downY: cos * alongY,
    depth: pose.depth,
  }
}
