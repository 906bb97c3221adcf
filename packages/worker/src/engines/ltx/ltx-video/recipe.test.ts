import { describe, expect, test } from 'vitest'
import { linearQuadraticSigmas } from '../../../flow/schedule.ts'
import { fitToLayers, guidanceAt, passSigmas, passSteps, perturbableOf, predictionCount } from './recipe.ts'
import { recipes } from './recipes.ts'

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
      { from: 1, scale: 1, rescale: 0 },
      { from: 0.9, scale: 6, rescale: 0.5 },
      { from: 0.5, scale: 2, rescale: 0 },
    ] as const
    expect([1, 0.95, 0.9, 0.6, 0.1].map((sigma) => guidanceAt(guidance, sigma).scale)).toEqual([1, 6, 6, 2, 2])
  })

  test("the 27 steps of 13b-dev have the guidance that the authors' lists give them", () => {
    // Worked out by hand. Their 30 sigmas are 1 - i/600 for the first 15, then 0.975, 0.96911, 0.95478, 0.932, 0.90078, 0.86111, 0.813, 0.75644,
    // 0.69144, 0.618, 0.53611, 0.44578 (and three that are left out); each takes the first of [1, 0.996, 0.9933, 0.985, 0.9767, 0.9008, 0.618]
    // not above it, else the last. The tenth, 0.985, is met exactly; the fifteenth, 0.97667, and the twentieth, 0.90078, are just missed.
    const recipe = recipes.find(({ name }) => name === '13b-dev')!
    const places = [0, 1, 1, 2, 2, 3, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 6]
    const sigmas = passSigmas(recipe.first, checkpoint, 100)
    expect([...sigmas.subarray(0, -1)].map((sigma) => guidanceAt(recipe.guidance, sigma))).toEqual(
      places.map((place) => recipe.guidance[place]),
    )
    // One prediction for the prompt, one more where the scale is above 1 (11 steps), one more with weakened blocks (24 steps).
    expect(predictionCount(sigmas, recipe.guidance)).toBe(27 + 11 + 24)
  })
})

describe('a recipe meets a smaller checkpoint', () => {
  const large = recipes.find(({ name }) => name === '13b-dev')!

  test('with all of its blocks there it is left as it is', () => {
    expect(perturbableOf(large)).toEqual({ mode: 'attention-values', blocks: [22, 27, 28, 35, 39] })
    expect(fitToLayers(large, 40)).toBe(large)
  })

  test('steps whose blocks are missing go without them, and without their rescaling', () => {
    const fitted = fitToLayers(large, 28)
    expect(fitted.missingBlocks).toEqual([28, 35, 39])
    expect(perturbableOf(fitted).blocks).toEqual([27])
    expect(fitted.guidance[3]).toEqual({ from: 0.985, scale: 8, star: true, rescale: 0 })
    expect(fitted.multiScale?.guidance).toEqual(large.multiScale?.guidance)
  })
})
