import { expect, test } from 'vitest'
import { distinctValues } from './timestep.ts'

test('tokens point at their level of noise, which stands there once', () => {
  const { distinct, index } = distinctValues(Float32Array.of(0, 0, 700, 0, 250, 700))
  expect(distinct).toEqual([0, 700, 250])
  expect([...index.data]).toEqual([0n, 0n, 1n, 0n, 2n, 1n])
})
