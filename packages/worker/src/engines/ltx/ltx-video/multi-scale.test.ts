import { describe, expect, test } from 'vitest'
import { float32Tensor } from '../../../onnx/index.ts'
import { adaptInstance, toneMap } from './multi-scale.ts'

const latents = (...values: number[]) => float32Tensor([1, 1, 1, 1, values.length], Float32Array.from(values))

describe('tone map', () => {
  // x · (1 - 0.8k · sigmoid(4k(|x| - 1))) with k = 0.75 · compression: worked out by hand.
  test('at full compression', () => {
    const mapped = toneMap(latents(1, -1, 0, 1000), 1).data
    // |x| = 1 stands in the middle of the sigmoid: 1 - 0.6 / 2
    expect(mapped[0]).toBeCloseTo(0.7, 6)
    expect(mapped[1]).toBeCloseTo(-0.7, 6)
    expect(mapped[2]).toBe(0)
    // Far out all of it counts: 1 - 0.6
    expect(mapped[3]).toBeCloseTo(400, 3)
  })

  test("at 0.6, which is 13b-distilled's", () => {
    const mapped = toneMap(latents(1, 3, 0.1), 0.6).data
    // k = 0.45: 1 - 0.36 / 2
    expect(mapped[0]).toBeCloseTo(0.82, 6)
    // sigmoid(1.8 · 2) = 0.973403: 3 · (1 - 0.36 · 0.973403)
    expect(mapped[1]).toBeCloseTo(1.948725, 5)
    // sigmoid(1.8 · -0.9) = 0.165204: 0.1 · (1 - 0.36 · 0.165204)
    expect(mapped[2]).toBeCloseTo(0.0940526, 6)
  })

  test('at 0 nothing changes', () => {
    expect([...toneMap(latents(1, -2.5, 40), 0).data]).toEqual([1, -2.5, 40])
  })
})

describe('adapting to the first pass', () => {
  const small = float32Tensor([1, 2, 1, 1, 2], Float32Array.of(0, 2, 10, 30))
  const large = float32Tensor([1, 2, 1, 1, 3], Float32Array.of(1, 2, 3, -1, 0, 1))

  test('each channel gets the mean and the deviation that it had', () => {
    // Deviations are unbiased: √2 and √200 of the small ones, 1 of the large.
    const root = Math.SQRT2
    const expected = [1 - root, 1, 1 + root, 20 - 10 * root, 20, 20 + 10 * root]
    for (const [index, value] of adaptInstance(large, small, 1).data.entries())
      expect(value).toBeCloseTo(expected[index]!, 5)
  })

  test('by half, it stands half of the way there', () => {
    expect(adaptInstance(large, small, 0.5).data[4]).toBeCloseTo(10, 5)
    expect([...adaptInstance(large, small, 0).data]).toEqual([...large.data])
  })
})
