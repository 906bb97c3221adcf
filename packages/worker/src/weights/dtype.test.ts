import { expect, test } from 'vitest'
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16, toFloat32 } from './dtype.ts'

const every16Bits = Uint16Array.from({ length: 65536 }, (_, index) => index)

test('every bf16 and every fp16 number survives the way to float32 and back', () => {
  const isNumber = (values: Float32Array): number[] =>
    [...every16Bits.keys()].filter((index) => !Number.isNaN(values[index]))
  const wideBrain = bfloat16ToFloat32(every16Bits)
  const wideHalf = float16ToFloat32(every16Bits)
  const brain = float32ToBfloat16(wideBrain)
  const half = float32ToFloat16(wideHalf)
  expect(isNumber(wideBrain).filter((index) => brain[index] !== index)).toEqual([])
  expect(isNumber(wideHalf).filter((index) => half[index] !== index)).toEqual([])
  expect(isNumber(wideHalf)).toHaveLength(65536 - 2 * 1023)
})

test('fp16 has the values that IEEE 754 gives them', () => {
  const expected = [...every16Bits].map((bits) => {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >> 10) & 31
    const fraction = bits & 1023
    if (exponent === 31) return fraction ? NaN : sign * Infinity
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
  })
  expect([...float16ToFloat32(every16Bits)]).toEqual(expected)
})

test.each([
  [1 + 2 ** -11, 0x3c00],
  [1 + 3 * 2 ** -11, 0x3c02],
  [65519, 0x7bff],
  [65520, 0x7c00],
  [2 ** -25, 0],
  [2 ** -25 + 2 ** -40, 1],
  [3 * 2 ** -25, 2],
  [2 ** -14 - 2 ** -25, 0x0400],
  [-0, 0x8000],
  [NaN, 0x7e00],
])('rounds %s to the nearest fp16, ties to even', (value, bits) => {
  expect([...float32ToFloat16(Float32Array.of(value))]).toEqual([bits])
})

test.each([
  [1 + 2 ** -8, 0x3f80],
  [1 + 3 * 2 ** -8, 0x3f82],
  [1 + 2 ** -8 + 2 ** -20, 0x3f81],
  [3.4028234e38, 0x7f80],
  [NaN, 0x7fc0],
])('rounds %s to the nearest bf16, ties to even', (value, bits) => {
  expect([...float32ToBfloat16(Float32Array.of(value))]).toEqual([bits])
})

/** The largest, the smallest, and what stands for no number. (Micikevicius et al., arXiv 2209.05433, table 1) */
test.each([
  ['F8_E4M3', 0x7e, 448],
  ['F8_E4M3', 0x08, 2 ** -6],
  ['F8_E4M3', 0x07, 0.875 * 2 ** -6],
  ['F8_E4M3', 0x81, -(2 ** -9)],
  ['F8_E4M3', 0x78, 256],
  ['F8_E4M3', 0x7f, NaN],
  ['F8_E4M3', 0x80, -0],
  ['F8_E5M2', 0x7b, 57344],
  ['F8_E5M2', 0x04, 2 ** -14],
  ['F8_E5M2', 0x03, 0.75 * 2 ** -14],
  ['F8_E5M2', 0x81, -(2 ** -16)],
  ['F8_E5M2', 0x7c, Infinity],
  ['F8_E5M2', 0xfe, NaN],
])('%s %i is %d', (dtype, bits, value) => {
  expect([...(toFloat32(Uint8Array.of(bits), dtype) ?? [])]).toEqual([value])
})
