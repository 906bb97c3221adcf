import { describe, expect, test } from 'vitest'
import { about, Progress } from './progress.ts'

function recorded(passes: { steps: number; cost: number }[], decodeSeconds?: number) {
  const clock = { now: 0 }
  const reports: { fraction: number; detail: string }[] = []
  const report = (fraction: number, detail: string) => reports.push({ fraction, detail })
  const progress = new Progress({ passes, decodeSeconds }, { now: () => clock.now, report })
  const step = (index: number, pass: number, seconds: number) => {
    progress.stepBegins()
    clock.now += seconds * 1000
    progress.stepEnds(index, pass)
  }
  return { progress, step, reports }
}

describe('the estimate', () => {
  test('does not count the first step, which also loads the weights, once there are others', () => {
    const { step, reports } = recorded([{ steps: 4, cost: 1 }], 10)
    step(0, 0, 60)
    expect(reports.at(-1)?.detail).toBe('step 1 of 4, about 3 min left')
    step(1, 0, 20)
    expect(reports.at(-1)?.detail).toBe('step 2 of 4, about 50 s left')
  })

  test('says that decoding comes on top while nobody knows how long it takes', () => {
    const { step, reports } = recorded([{ steps: 2, cost: 1 }])
    step(0, 0, 30)
    expect(reports.at(-1)?.detail).toBe('step 1 of 2, about 30 s left, then decoding')
    step(1, 0, 30)
    expect(reports.at(-1)?.detail).toBe('step 2 of 2, then decoding')
  })

  test('a larger second pass counts for more', () => {
    const { step, reports } = recorded(
      [
        { steps: 2, cost: 1 },
        { steps: 1, cost: 4 },
      ],
      0,
    )
    step(0, 0, 10)
    step(1, 0, 10)
    expect(reports.at(-1)?.detail).toBe('pass 1, step 2 of 2, about 40 s left')
  })
})

test('the fraction never falls and ends at 1', () => {
  const { progress, step, reports } = recorded([{ steps: 2, cost: 1 }])
  for (const stage of ['text', 'encode', 'denoise'] as const) progress.stage(stage)
  step(0, 0, 1)
  step(1, 0, 1)
  progress.stage('decode')
  for (const part of [0, 0.5, 1]) progress.decoding(part)
  const fractions = reports.map(({ fraction }) => fraction)
  expect(fractions).toEqual(fractions.toSorted((a, b) => a - b))
  expect(fractions.at(-1)).toBe(1)
})

test('estimates have no more digits than they deserve', () => {
  expect([0.2, 7, 42, 95, 1000].map(about)).toEqual([
    'about 1 s',
    'about 7 s',
    'about 40 s',
    'about 2 min',
    'about 17 min',
  ])
})
