import { expect, test } from 'vitest'
import { jitter, movements, type GrayFrame } from './registration.ts'

const [width, height] = [256, 160]

/** A picture known at every point, so that it can be drawn anywhere without interpolation. */
function draw(shift: (frame: number) => number, frames: number, growth = 0): GrayFrame[] {
  return Array.from({ length: frames }, (_, frame) => {
    const data = new Float32Array(width * height)
    const scale = 1 + growth * frame
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const u = (x - (width - 1) / 2 - shift(frame)) / scale
        const v = (y - (height - 1) / 2) / scale
        data[y * width + x] =
          128 +
          30 * Math.sin(u / 4) +
          30 * Math.cos(v / 5 + u / 9) +
          20 * Math.sin((u - 2 * v) / 13) +
          15 * Math.sin(v / 3.1)
      }
    }
    return { width, height, data }
  })
}

test('finds shifts and growth to a thousandth of a pixel', async () => {
  const moves = await movements(draw((frame) => 0.37 * frame, 4))
  for (const move of moves) {
    expect(Math.abs(move.x - 0.37)).toBeLessThan(0.001)
    expect(Math.abs(move.y)).toBeLessThan(0.001)
  }
  const [grown] = await movements(draw(() => 0, 2, 0.004))
  expect(Math.abs(grown!.growth - 0.004)).toBeLessThan(0.00003)
})

test('an even path has no jitter, and a jitter of 0.1 px is measured as such', async () => {
  const even = (frame: number) => 0.4 * frame + 0.002 * frame ** 2
  expect(jitter(await movements(draw(even, 30)), width, height)).toBeLessThan(0.002)
  let seed = 1
  const noise = Array.from({ length: 60 }, () => {
    seed = (seed * 16807) % 2147483647
    return (seed / 2147483647 - 0.5) * Math.sqrt(12) * 0.1
  })
  const measured = jitter(await movements(draw((frame) => even(frame) + noise[frame]!, 60)), width, height)
  expect(measured).toBeGreaterThan(0.08)
  expect(measured).toBeLessThan(0.12)
})
