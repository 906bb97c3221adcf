import { describe, expect, test } from 'vitest'
import type { Pose } from './path.ts'
import { look } from './sampler.ts'
import { chroma, luma, type Sampling } from './sampling.ts'
import type { Plane, Planes } from './working-picture.ts'

const frame = { width: 256, height: 128 }
const seen = { x: 3, y: 5, width: 100, height: 60 }

/** A plane whose levels are told by a function of the place, 0..1 from border to border. */
function plane(width: number, height: number, levels: ((x: number, y: number) => number)[]): Plane {
  const stride = width + 1
  const parts = levels.map((level) => {
    const at = (x: number, y: number) =>
      level((Math.min(x, width - 1) + 0.5) / width, (Math.min(y, height - 1) + 0.5) / height)
    return Uint16Array.from({ length: stride * (height + 1) }, (_, index) =>
      Math.round(at(index % stride, Math.floor(index / stride)) * 16),
    )
  })
  return { width, height, stride, parts }
}

/** Levels that change evenly are what linear interpolation shows exactly. */
const planes: Planes = {
  luma: plane(1200, 720, [(x, y) => 20 + 100 * x + 80 * y]),
  chroma: plane(600, 360, [(x) => 30 + 180 * x, (_, y) => 220 - 150 * y]),
}

/** The level at a sample of the frame, by the definition of a pose. */
function expected(
  pose: Pose,
  sampling: Sampling,
  column: number,
  row: number,
  level: (x: number, y: number) => number,
) {
  const u = (sampling.x + column * sampling.step - frame.width / 2) / (frame.width / 2)
  const v = (sampling.y + row * sampling.step - frame.height / 2) / (frame.width / 2)
  const near = 1 - pose.depth * ((u * u + v * v) / (1 + (frame.height / frame.width) ** 2))
  const [cos, sin] = [Math.cos(pose.angle), Math.sin(pose.angle)]
  const x = pose.x + (pose.width / 2) * near * (cos * u + sin * v)
  const y = pose.y + (pose.width / 2) * near * (-sin * u + cos * v)
  return level((x - seen.x) / seen.width, (y - seen.y) / seen.height)
}

const poses: Record<string, Pose> = {
  straight: { x: 50.3, y: 33.7, width: 71.9, angle: 0, depth: 0 },
  turned: { x: 52, y: 36, width: 60, angle: 0.3, depth: 0 },
  'turned the other way': { x: 52, y: 36, width: 60, angle: -0.4, depth: 0 },
  bent: { x: 51, y: 34, width: 80, angle: 0, depth: 0.08 },
  'bent and turned': { x: 51, y: 34, width: 70, angle: 0.2, depth: 0.08 },
}

describe('a frame shows what the pose sees', () => {
  test.each(Object.entries(poses))('%s', (_, pose) => {
    const bytes = look(planes, frame, pose, seen)
    const parts = [
      { sampling: luma, offset: 0, level: (x: number, y: number) => 20 + 100 * x + 80 * y },
      { sampling: chroma, offset: 256 * 128, level: (x: number) => 30 + 180 * x },
      { sampling: chroma, offset: 256 * 128 + 128 * 64, level: (_: number, y: number) => 220 - 150 * y },
    ]
    expect(bytes).toHaveLength(256 * 128 * 1.5)
    for (const { sampling, offset, level } of parts) {
      let worst = 0
      const [columns, rows] = [frame.width / sampling.step, frame.height / sampling.step]
      for (let row = 0; row < rows; row++) {
        for (let column = 0; column < columns; column++) {
          const shown = bytes[offset + row * columns + column]!
          worst = Math.max(worst, Math.abs(shown - expected(pose, sampling, column, row, level)))
        }
      }
      // Rounded once, from sixteenths of a level.
      expect(worst).toBeLessThan(0.6)
    }
  })

  test('outside the picture is what its border shows', () => {
    const bytes = look(planes, frame, { x: 3, y: 5, width: 40, angle: 0, depth: 0 }, seen)
    expect(bytes[0]).toBe(Math.round(20 + 100 / 2400 + 80 / 1440))
    expect(bytes[256 * 50 + 80]).toBe(bytes[0])
  })
})
