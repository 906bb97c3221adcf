import { describe, expect, test } from 'vitest'
import { fadeWeights, planTiles, spans, wholeTile } from './tiles.ts'

const voxels = (tile: { frames: number; height: number; width: number }) => tile.frames * tile.height * tile.width

describe('spans', () => {
  test('cover an axis, overlap enough, and are all of one length', () => {
    for (const [total, length, shared] of [
      [16, 8, 3],
      [17, 8, 3],
      [100, 9, 3],
      [9, 8, 3],
      [32, 31, 3],
    ] as const) {
      const list = spans(total, length, shared)
      expect(list[0]?.start).toBe(0)
      expect((list.at(-1)?.start ?? 0) + length).toBe(total)
      for (const [index, span] of list.entries()) {
        const next = list[index + 1]
        if (next) expect(span.start + length - next.start).toBeGreaterThanOrEqual(shared)
        expect(span.length).toBe(length)
      }
    }
  })

  test('what fits is one span', () => {
    expect(spans(8, 8, 3)).toEqual([{ start: 0, length: 8 }])
  })
})

describe('plans', () => {
  const size = { frames: 16, height: 18, width: 32 }

  test('a budget that holds everything gives one tile', () => {
    expect(planTiles(size, voxels, voxels(size))).toEqual(wholeTile(size))
  })

  test('every tile of a smaller budget fits it', () => {
    const plan = planTiles(size, voxels, 2000)
    const largest = {
      frames: plan.time[0]?.length ?? 0,
      height: plan.rows[0]?.length ?? 0,
      width: plan.columns[0]?.length ?? 0,
    }
    expect(voxels(largest)).toBeLessThanOrEqual(2000)
    expect(plan.time.length * plan.rows.length * plan.columns.length).toBeGreaterThan(1)
  })

  test('a budget that nothing fits ends with the smallest tiles', () => {
    expect(planTiles(size, voxels, 1).time[0]?.length).toBe(5)
  })
})

test('the weights of all tiles add up to one everywhere', () => {
  const places = [
    { start: 0, end: 40 },
    { start: 24, end: 64 },
    { start: 50, end: 90 },
  ]
  const sum = new Float32Array(90)
  for (const [index, { start }] of places.entries()) {
    for (const [offset, weight] of fadeWeights(places, index).entries())
      sum[start + offset] = (sum[start + offset] ?? 0) + weight
  }
  for (const total of sum) expect(total).toBeCloseTo(1, 5)
})
