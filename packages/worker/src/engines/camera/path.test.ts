import { describe, expect, test } from 'vitest'
import { planMotion } from './motion.ts'
import { cameraPath, ease, type Pose, seenRectangle } from './path.ts'
import { viewOf } from './sampling.ts'
import { readPrompt } from './words.ts'

const shapes = [
  [600, 400],
  [400, 600],
  [16, 9],
  [1, 1],
  [4000, 300],
  [300, 4000],
  [8660, 5773],
] as const
const prompts = [
  '',
  'pan left',
  'pan down',
  'zoom in',
  'dolly out fast',
  'rotate clockwise fast',
  'pan up and right, zoom out and rotate',
]

describe('the whole view is inside the picture, at every moment', () => {
  test.each(shapes)('%i x %i', (width, height) => {
    const picture = { width, height }
    for (const frame of [
      { width: 64, height: 32 },
      { width: 32, height: 64 },
    ]) {
      for (const [seed, prompt] of prompts.entries()) {
        const focus = { x: seed / prompts.length, y: 1 - seed / prompts.length }
        const motion = planMotion({ words: readPrompt(prompt), seed, duration: 10, picture, frame, focus })
        const path = cameraPath(motion, picture, frame)
        const poses = Array.from({ length: 41 }, (_, index) => path(index / 40))
        const seen = seenRectangle(poses, picture, frame)
        expect(seen.x).toBeGreaterThanOrEqual(0)
        expect(seen.y).toBeGreaterThanOrEqual(0)
        expect(seen.x + seen.width).toBeLessThanOrEqual(width)
        expect(seen.y + seen.height).toBeLessThanOrEqual(height)
        for (const pose of poses) {
          const places = corners(frame).map((corner) => seenFrom(pose, seen, corner))
          expect(
            Math.max(...places.flat().map(Math.abs)),
            `${prompt} in ${frame.width}x${frame.height}`,
          ).toBeLessThanOrEqual(1.0001)
        }
      }
    }
  })
})

const corners = (frame: { width: number; height: number }) =>
  [-1, 1].flatMap((x) => [-1, 1].map((y) => ({ x, y: (y * frame.height) / frame.width, r2: 1 })))

/** Where a point of the frame lies in the seen part, whose borders are -1 and 1. */
function seenFrom(
  pose: Pose,
  seen: { x: number; y: number; width: number; height: number },
  { x, y, r2 }: { x: number; y: number; r2: number },
): [number, number] {
  const view = viewOf(pose, seen, seen)
  const near = 1 - view.depth * r2
  const along = view.x + 0.5 + near * (view.acrossX * x + view.downX * y)
  const down = view.y + 0.5 + near * (view.acrossY * x + view.downY * y)
  return [(2 * along) / seen.width - 1, (2 * down) / seen.height - 1]
}

test('easing begins and ends at rest and never jumps', () => {
  const at = Array.from({ length: 1001 }, (_, index) => ease(index / 1000))
  const speed = at.slice(1).map((value, index) => (value - (at[index] ?? 0)) * 1000)
  const acceleration = speed.slice(1).map((value, index) => value - (speed[index] ?? 0))
  expect(at[0]).toBe(0)
  expect(at[500]).toBeCloseTo(0.5, 9)
  expect(at[1000]).toBe(1)
  expect(speed[0]).toBeLessThan(0.001)
  expect(Math.min(...speed)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...acceleration.map(Math.abs))).toBeLessThan(0.01)
})

describe('plans', () => {
  const request = { seed: 3, duration: 5, frame: { width: 1024, height: 576 }, focus: { x: 0.5, y: 0.5 } }
  const plan = (prompt: string, picture = { width: 1920, height: 1080 }, duration = 5) =>
    planMotion({ ...request, duration, picture, words: readPrompt(prompt) })

  test('slowly is less, fast is more, and a longer video moves further', () => {
    const travel = (prompt: string, duration = 5) => Math.abs(plan(prompt, undefined, duration).travel.x)
    expect(travel('slowly pan left')).toBeLessThan(travel('pan left'))
    expect(travel('fast pan left')).toBeGreaterThan(travel('pan left'))
    expect(travel('pan left', 10)).toBeGreaterThan(travel('pan left', 2))
  })

  test('without words a tall picture is panned along its height', () => {
    const { travel, closeness } = plan('', { width: 1000, height: 2000 })
    expect(Math.abs(travel.y)).toBeGreaterThan(0.1)
    expect(travel.x).toBe(0)
    expect(closeness).toBe(1)
  })

  test('without words a picture that fits the frame is approached or left', () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const motion = planMotion({
        ...request,
        seed,
        picture: { width: 1920, height: 1080 },
        words: readPrompt('a cat'),
      })
      expect(motion.closeness).not.toBe(1)
      expect(motion.travel).toEqual({ x: 0, y: 0 })
    }
  })
})
