import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { createGenerator } from './torch-random.ts'

const recorded: { name: string; seed: string; draws: { count: number; float32: string }[] }[] = JSON.parse(
  readFileSync(new URL('../../test/fixtures/random/torch.json', import.meta.url), 'utf8'),
)

function base64(values: Float32Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('base64')
}

test.each(recorded)('gives the numbers that torch gave, to the last bit: $name', ({ seed, draws }) => {
  const generator = createGenerator(BigInt(seed))
  expect(draws.map(({ count }) => ({ count, float32: base64(generator.normal(count)) }))).toEqual(draws)
})

test('takes only the lower 32 bits of a seed, as torch does', () => {
  expect(createGenerator(2n ** 40n + 7n).normal(20)).toEqual(createGenerator(7).normal(20))
})

test('the same seed goes on differently after a draw of another size', () => {
  const one = createGenerator(7)
  const other = createGenerator(7)
  one.normal(16)
  other.normal(17)
  expect(one.normal(16)).not.toEqual(other.normal(16))
})

test('is normal: mean 0, deviation 1, and the tails that belong to it', () => {
  const values = createGenerator(123).normal(200_000)
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length
  expect(Math.abs(mean)).toBeLessThan(0.01)
  expect(Math.abs(variance - 1)).toBeLessThan(0.02)
  expect(values.filter((value) => Math.abs(value) > 1.96).length / values.length).toBeCloseTo(0.05, 2)
})

describe('a draw of which only parts are wanted', () => {
  const parts = [
    { start: 3, end: 40 },
    { start: 41, end: 50 },
    { start: 500, end: 505 },
  ]

  test.each([1024, 1000])('gives those parts of %i to the last bit', (count) => {
    const whole = createGenerator(7).normal(count)
    expect(createGenerator(7).normalParts(count, parts)).toEqual(parts.map(({ start, end }) => whole.slice(start, end)))
  })

  test.each([1024, 1000])('is as long as the whole one of %i: the next draw is the same', (count) => {
    const [one, other, third] = [createGenerator(7), createGenerator(7), createGenerator(7)]
    one.normal(count)
    other.normalParts(count, parts)
    third.normalParts(count, [])
    const next = one.normal(48)
    expect(other.normal(48)).toEqual(next)
    expect(third.normal(48)).toEqual(next)
  })
})
