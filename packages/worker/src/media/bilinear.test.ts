import { expect, test } from 'vitest'
import { bilinearPlaces, mix } from './bilinear.ts'

test('places lie between centres, and borders repeat', () => {
  expect(bilinearPlaces(2, 4)).toEqual([
    { first: 0, second: 1, weight: 0 },
    { first: 0, second: 1, weight: 0.25 },
    { first: 0, second: 1, weight: 0.75 },
    { first: 1, second: 1, weight: 0.25 },
  ])
  expect(bilinearPlaces(1, 1)).toEqual([{ first: 0, second: 0, weight: 0 }])
  expect(mix(10, 20, 0.25)).toBe(12.5)
})
