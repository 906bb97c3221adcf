import { expect, test } from 'vitest'
import { createMeter, type PullProgress } from './progress.ts'

test('tells the speed of the last seconds, and from it the time that is left', () => {
  let now = 0
  const told: PullProgress[] = []
  const meter = createMeter(
    (progress) => told.push(progress),
    () => now,
  )
  meter.begin(2, 100_000_000)
  meter.have(40_000_000)
  for (now = 0; now <= 10_000; now += 500) meter.gain(1_000_000, 'a')
  expect(told.at(-1)).toMatchObject({
    phase: 'downloading',
    file: 'a',
    bytesDone: 61_000_000,
    bytesPerSecond: 2_000_000,
    secondsLeft: 19.5,
  })
})

test('does not know the time that is left before something has come', () => {
  const told: PullProgress[] = []
  const meter = createMeter((progress) => told.push(progress))
  meter.begin(1, 10)
  meter.phase('listing')
  expect(told).toMatchObject([{ secondsLeft: null, bytesPerSecond: 0 }])
})

test('reports a few times a second, not with every piece', () => {
  let now = 0
  const told: PullProgress[] = []
  const meter = createMeter(
    (progress) => told.push(progress),
    () => now,
  )
  meter.begin(1, 1000)
  for (now = 0; now < 1000; now += 1) meter.gain(1, 'a')
  expect(told).toHaveLength(5)
})
