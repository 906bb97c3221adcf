import { describe, expect, test } from 'vitest'
import { linearQuadraticSigmas } from '../../../flow/schedule.ts'
import { guidanceAt, passSigmas, passSteps } from './recipe.ts'

describe('passes', () => {
  const checkpoint = {
    sampler: 'linear-quadratic',
    schedule: { shift: { kind: 'factor', factor: 1 }, stochastic: false },
  } as const

  test("a distilled model's sigmas are taken as they are", () => {
    expect([...passSigmas({ sigmas: [1, 0.5] }, checkpoint, 100)]).toEqual([1, 0.5, 0])
  })

  test('steps can be left out at both ends', () => {
    const pass = { steps: 30, skipFirst: 17, skipLast: 3 }
    expect(passSigmas(pass, checkpoint, 100)).toHaveLength(passSteps(pass) + 1)
    expect(passSigmas(pass, checkpoint, 100)[0]).toBeCloseTo(linearQuadraticSigmas(30)[17] ?? 0, 5)
  })

  test('scheduled guidance holds from the first sigma not above it', () => {
    const guidance = [
      { from: 1, scale: 1, rescale: 1 },
      { from: 0.9, scale: 6, rescale: 0.5 },
      { from: 0.5, scale: 2, rescale: 0 },
    ] as const
    expect([1, 0.95, 0.9, 0.6, 0.1].map((sigma) => guidanceAt(guidance, sigma).scale)).toEqual([1, 6, 6, 2, 2])
  })
})
