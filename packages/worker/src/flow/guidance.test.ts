import { describe, expect, test } from 'vitest'
import { float32Tensor } from '../onnx/index.ts'
import { guide, perturbedBlocks, type Guidance, type Predictions } from './guidance.ts'

/** Everything here is small enough to be worked out by hand. */
const values = (...numbers: number[]) => float32Tensor([numbers.length], Float32Array.from(numbers))
const guided = (predictions: Predictions, guidance: Guidance) => [...guide(predictions, guidance).data]

const positive = values(2, 0)
const negative = values(1, 3)
const perturbed = values(1, -1)

describe('guidance by the prompt', () => {
  test('u + g(c - u)', () => {
    // 1 + 3 · 1, 3 + 3 · -3
    expect(guided({ positive, negative }, { scale: 3, rescale: 0 })).toEqual([4, -6])
  })

  test('brought back to the contrast of the unguided prediction', () => {
    // deviation of (2, 0) is √2, of (4, -6) √50, a fifth; half of the way there: 0.5 · 0.2 + 0.5 = 0.6
    const result = guided({ positive, negative }, { scale: 3, rescale: 0.5 })
    expect(result[0]).toBeCloseTo(2.4, 6)
    expect(result[1]).toBeCloseTo(-3.6, 6)
  })

  test('CFG-Zero*: the negative prediction as long as it comes closest to the positive one', () => {
    // ⟨c, u⟩ / ‖u‖² = 2 / 10, so u is (0.2, 0.6): 0.2 + 2 · 1.8, 0.6 + 2 · -0.6
    const result = guided({ positive, negative }, { scale: 2, star: true, rescale: 0 })
    expect(result[0]).toBeCloseTo(3.8, 6)
    expect(result[1]).toBeCloseTo(-0.6, 6)
  })
})

describe('spatio-temporal guidance', () => {
  const perturbation = { scale: 2, blocks: [1] }

  test('c + s(c - p), without a negative prompt', () => {
    // 2 + 2 · 1, 0 + 2 · 1
    expect(guided({ positive, perturbed }, { scale: 1, perturbation, rescale: 0 })).toEqual([4, 2])
  })

  test('beside guidance by the prompt: what weakening changes is measured from the prompt alone, not from the guided one', () => {
    // (4, -6) from above, and twice (1, 1)
    expect(guided({ positive, negative, perturbed }, { scale: 3, perturbation, rescale: 0 })).toEqual([6, -4])
  })

  test('rescaling comes last', () => {
    // √2 / √50 again: the difference of (6, -4) is 10 too
    const result = guided({ positive, negative, perturbed }, { scale: 3, perturbation, rescale: 1 })
    expect(result[0]).toBeCloseTo(1.2, 6)
    expect(result[1]).toBeCloseTo(-0.8, 6)
  })

  test('takes a prediction of its own only where it has a scale and blocks', () => {
    expect(perturbedBlocks({ perturbation })).toEqual([1])
    expect(perturbedBlocks({ perturbation: { scale: 0, blocks: [1] } })).toEqual([])
    expect(perturbedBlocks({})).toEqual([])
  })
})

test('what goes in stays as it is', () => {
  guide({ positive, negative, perturbed }, { scale: 3, perturbation: { scale: 2, blocks: [1] }, rescale: 1 })
  expect([[...positive.data], [...negative.data], [...perturbed.data]]).toEqual([
    [2, 0],
    [1, 3],
    [1, -1],
  ])
})
