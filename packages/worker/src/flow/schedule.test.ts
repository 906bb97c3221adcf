import { describe, expect, test } from 'vitest'
import { linearQuadraticSigmas, shiftedSigmas, uniformSigmas, type ScheduleConfig } from './schedule.ts'

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
})
