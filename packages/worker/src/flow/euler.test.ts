import { describe, expect, test } from 'vitest'
import { float32Tensor } from '../onnx/index.ts'
import { recordedDraws, seededDraws } from './draws.ts'
import { nextSigma, startEuler, startStochasticEuler } from './euler.ts'

const sigmas = Float32Array.of(1, 0.75, 0.5, 0)
const draws = seededDraws(1)

test('there is one step less than there are sigmas', () => {
  expect(startEuler({ sigmas, strengths: Float32Array.of(0), draws }).steps).toBe(3)
})

test('the next sigma is the largest one below', () => {
  expect(nextSigma(Float32Array.of(1, 0.5, 0.25, 0), 0.4)).toBe(0.25)
  expect(nextSigma(Float32Array.of(1, 0.5, 0.25, 0), 0.25)).toBe(0)
})

describe('each token at its own level of noise', () => {
  const sampler = startEuler({ sigmas, strengths: Float32Array.of(0, 1, 0.4), draws })

  test('the model is told at most what the picture leaves open', () => {
    expect([...sampler.levelAt(0).timesteps].map(Math.round)).toEqual([1000, 0, 600])
    expect([...sampler.levelAt(2).timesteps].map(Math.round)).toEqual([500, 0, 500])
    expect(sampler.levelAt(1).sigma).toBeCloseTo(0.75, 6)
  })

  test('a given token waits until the schedule has come down to it', () => {
    const latents = () => float32Tensor([3, 1], [10, 10, 10])
    const velocity = float32Tensor([3, 1], [4, 4, 4])
    // 10 + (0.75 - 1) * 4; wholly given; 1 > 0.6: waits.
    expect([...sampler.step(0, latents(), velocity).data]).toEqual([9, 10, 10])
    // 0.5 <= 0.6: the third goes along now, from its own sigma 0.5 to 0.
    expect([...sampler.step(2, latents(), velocity).data].map((value) => Math.round(value * 1e4) / 1e4)).toEqual([
      8, 10, 8,
    ])
  })
})

test('the stochastic one goes to the end and back with fresh noise: (1 - s)(x - sv) + s n', () => {
  const noise = float32Tensor([1, 1, 2], [0.5, -1])
  const sampler = startStochasticEuler({
    sigmas,
    strengths: Float32Array.of(0),
    draws: recordedDraws([noise]),
  })
  const moved = sampler.step(1, float32Tensor([1, 2], [2, 3]), float32Tensor([1, 2], [1, -1]))
  expect([...moved.data]).toEqual([0.5 * (2 - 0.75) + 0.5 * 0.5, 0.5 * (3 + 0.75) - 0.5])
})
