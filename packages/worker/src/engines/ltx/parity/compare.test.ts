import { expect, test } from 'vitest'
import { compare, isWithin } from './compare.ts'

test('differences are measured in four ways', () => {
  const { worst, mean, relative, psnr } = compare([1, 2, 3.5], [1, 2, 3])
  expect(worst).toBe(0.5)
  expect(mean).toBeCloseTo(0.5 / 3)
  expect(relative).toBeCloseTo(0.5 / Math.sqrt(14))
  expect(psnr).toBeCloseTo(-10 * Math.log10(0.25 / 3))
})

test('what is not a number is never within bounds', () => {
  expect(isWithin(compare([NaN], [0]), { worst: 1e9 })).toBe(false)
  expect(isWithin(compare([NaN], [1]), { relative: 1e9 })).toBe(false)
  expect(isWithin(compare([NaN], [1]), { psnr: -1e9 })).toBe(false)
})

test('lists of different lengths cannot be compared', () => {
  expect(() => compare([1], [1, 2])).toThrow('1 values against 2')
})
