import { describe, expect, test } from 'vitest'
import { guidanceAt, passSigmas, passSteps } from './recipe.ts'
import { linearQuadraticSigmas, nextSigma, shiftedSigmas, uniformSigmas, type ScheduleConfig } from './schedule.ts'

const byLength: ScheduleConfig = {
  shift: { kind: 'by-length', baseTokens: 1024, maximumTokens: 4096, baseShift: 0.95, maximumShift: 2.05 },
  terminal: 0.1,
  stochastic: false,
}

describe('schedules', () => {
  test('a shifted one starts at 1, ends at its terminal and then 0', () => {
    const sigmas = shiftedSigmas(uniformSigmas(8), byLength, 2000)
    expect(sigmas[0]).toBe(1)
    expect(sigmas[7]).toBeCloseTo(0.1, 6)
    expect(sigmas[8]).toBe(0)
    expect([...sigmas]).toEqual([...sigmas].toSorted((a, b) => b - a))
  })

  test('longer videos stay noisy for longer', () => {
    const short = shiftedSigmas(uniformSigmas(8), byLength, 1024)
    const long = shiftedSigmas(uniformSigmas(8), byLength, 4096)
    expect(long[4]).toBeGreaterThan(short[4] ?? 1)
  })

  test('the linear-quadratic one spends half its steps on the first 2.5 %', () => {
    const sigmas = linearQuadraticSigmas(40)
    expect(sigmas[20]).toBeCloseTo(0.975, 5)
    expect(sigmas).toHaveLength(40)
  })

  test.each([1, 2, 3])('%i steps work', (steps) => {
    for (const sigmas of [uniformSigmas(steps), linearQuadraticSigmas(steps)]) {
      expect(sigmas).toHaveLength(steps)
      expect(shiftedSigmas(sigmas, byLength, 500).every(Number.isFinite)).toBe(true)
    }
  })

  test('the next sigma is the largest one below', () => {
    expect(nextSigma(Float32Array.of(1, 0.5, 0.25, 0), 0.4)).toBe(0.25)
    expect(nextSigma(Float32Array.of(1, 0.5, 0.25, 0), 0.25)).toBe(0)
  })
})

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
    const guidance = { sigmas: [1, 0.9, 0.5], scale: [1, 6, 2], rescale: [1, 0.5, 0] }
    expect([1, 0.95, 0.9, 0.6, 0.1].map((sigma) => guidanceAt(guidance, sigma).scale)).toEqual([1, 6, 6, 2, 2])
  })
})
