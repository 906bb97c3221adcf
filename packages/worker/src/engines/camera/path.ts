/** The camera's path: where it stands at each moment, always with the whole view inside the picture. */

import type { Rectangle, Size } from '../../media/crop.ts'
import type { Motion } from './motion.ts'

/** Where the camera stands at one moment. */
export interface Pose {
  /** Middle of the view, in pixels of the picture. */
  readonly x: number
  readonly y: number
  /** Width of the view in pixels of the picture. */
  readonly width: number
  /** Radians the view is turned counterclockwise, so that the picture turns clockwise on the screen. */
  readonly angle: number
  /** How much closer the corners are than the middle: 0 is flat. */
  readonly depth: number
}

/** Share of the time spent on speeding up, and again on slowing down. */
const ramp = 0.4
/** How much more the corners come closer than the middle while dollying. */
const relief = 0.5

/**
 * Eases 0..1 to 0..1: speeds up, goes evenly, slows down. The speed is a raised cosine at both ends, so that neither it nor the
 * acceleration ever jumps.
 */
export function ease(time: number): number {
  if (time > 0.5) return 1 - ease(1 - time)
  const distance = time < ramp ? time / 2 - (ramp / (2 * Math.PI)) * Math.sin((Math.PI * time) / ramp) : time - ramp / 2
  return distance / (1 - ramp)
}

/** The pose as a function of time, 0..1. */
export function cameraPath(motion: Motion, picture: Size, frame: Size): (time: number) => Pose {
  const aspect = frame.width / frame.height
  const extent = viewExtent(Math.abs(motion.turn) / 2, aspect)
  const { travel, closeness, focus } = motion
  const widest = Math.min(
    picture.width / (extent.x + Math.abs(travel.x)),
    picture.height / (extent.y + Math.abs(travel.y) / aspect),
  )
  const closest = Math.min(closeness, 1 / closeness)
  const along = axis(picture.width, extent.x, travel.x, widest, focus.x)
  const down = axis(picture.height, extent.y, travel.y / aspect, widest, focus.y)
  return (time) => {
    const eased = ease(time)
    const near = closeness < 1 ? eased : 1 - eased
    // A zoom multiplies the view by the same factor in equal times; a dolly shortens the distance by equal steps.
    const scale = closeness === 1 ? 1 : motion.dolly ? 1 - (1 - closest) * near : closest ** near
    const width = widest * scale
    return {
      x: along(width, eased),
      y: down(width, eased),
      width,
      angle: motion.turn * (eased - 0.5),
      depth: motion.dolly ? relief * (1 - closest) * near : 0,
    }
  }
}

/** Width and height of the upright rectangle around a view of width 1 that is turned by `angle`. */
function viewExtent(angle: number, aspect: number): { x: number; y: number } {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  return { x: cos + sin / aspect, y: sin + cos / aspect }
}

/**
 * The middle of the view along one axis. It is told as a share of the room that the view leaves in the picture, -1..1: whatever the view's
 * width, it stays inside, and while only the width changes the picture's point at that share stays where it is on the screen.
 */
function axis(length: number, extent: number, travel: number, widest: number, focus: number) {
  const room = (width: number) => Math.max(length - width * extent, 0) / 2
  const reach = travel === 0 ? 0 : Math.min(Math.abs(travel * widest) / 2 / Math.max(room(widest), 1e-9), 1)
  const middle = Math.min(Math.max(2 * focus - 1, reach - 1), 1 - reach)
  return (width: number, eased: number) =>
    length / 2 + room(width) * (middle + Math.sign(travel) * reach * (2 * eased - 1))
}

/** The part of the picture, in whole pixels, that the camera sees on its way. */
export function seenRectangle(poses: readonly Pose[], picture: Size, frame: Size): Rectangle {
  const aspect = frame.width / frame.height
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity]
  for (const pose of poses) {
    const extent = viewExtent(Math.abs(pose.angle), aspect)
    left = Math.min(left, pose.x - (extent.x * pose.width) / 2)
    right = Math.max(right, pose.x + (extent.x * pose.width) / 2)
    top = Math.min(top, pose.y - (extent.y * pose.width) / 2)
    bottom = Math.max(bottom, pose.y + (extent.y * pose.width) / 2)
  }
  // Two pixels more where there are some, for the filters' reach.
  const x = Math.min(Math.max(Math.floor(left) - 2, 0), picture.width - 1)
  const y = Math.min(Math.max(Math.floor(top) - 2, 0), picture.height - 1)
  const width = Math.max(Math.min(Math.ceil(right) + 2, picture.width) - x, 1)
  return { x, y, width, height: Math.max(Math.min(Math.ceil(bottom) + 2, picture.height) - y, 1) }
}
