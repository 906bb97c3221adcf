import { describe, expect, test } from 'vitest'
import { float32Tensor, fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './tensors.ts'

describe('half precision', () => {
  test('values that a half can hold come back unchanged', () => {
    const values = Float32Array.of(0, -0, 1, -1.5, 65504, 2 ** -24, 2 ** -14, Infinity, -Infinity, NaN)
    expect(fromFloat16(toFloat16(values))).toEqual(values)
    const wide = Float32Array.of(0, 1, -3, 2 ** 120, 2 ** -126, Infinity, NaN)
    expect(fromBfloat16(toBfloat16(wide))).toEqual(wide)
  })

  test('ties go to the even neighbour, and what is too large becomes infinite', () => {
    expect([...fromFloat16(toFloat16(Float32Array.of(2049, 2051, 65520, 1e9, 2 ** -25, 3 * 2 ** -25)))]).toEqual([
      2048,
      2052,
      Infinity,
      Infinity,
      0,
      2 ** -23,
    ])
    expect([...fromBfloat16(toBfloat16(Float32Array.of(257, 259, 3.4e38)))]).toEqual([256, 260, Infinity])
  })
})

test('a tensor holds as many values as its shape says', () => {
  expect(() => float32Tensor([2, 2], [1, 2, 3])).toThrow('has 4 elements, not 3')
})
