/** Euler's method on a flow, token by token: tokens that a picture gives may stand at another level of noise than the rest. */

import { float32Tensor, matrixSizes, type Float32Tensor } from '../onnx/index.ts'
import type { NoiseLevel, Sampler, SamplerStart, StartSampler } from './sampler.ts'

const timestepsPerSigma = 1000
const tolerance = 1e-6

/** One value of a token: where it goes, given its own sigma and the one it goes to. */
type Move = (value: number, velocity: number, from: number, to: number, index: number) => number

/** x + (next - sigma) · v: follows the flow. */
export const startEuler: StartSampler = (start) =>
  tokenwise(start, () => (value, velocity, from, to) => value + Math.fround(to - from) * velocity)

/** (1 - next) · x₀ + next · fresh noise, with x₀ = x - sigma · v: goes to the end and back each time, as some distilled models are trained to. */
export const startStochasticEuler: StartSampler = (start) =>
  tokenwise(start, (latents) => {
    const noise = start.draws.normal([1, ...latents.shape])
    return (value, velocity, from, to, index) => (1 - to) * (value - from * velocity) + to * noise.data[index]!
  })

/**
 * Each token moves from its own sigma to the next scheduled one below. One that a picture gives to the degree s is never noisier than 1 - s, so it
 * waits until the schedule has come down to that.
 */
function tokenwise({ sigmas, strengths }: SamplerStart, moves: (latents: Float32Tensor) => Move): Sampler {
  const levelAt = (step: number): NoiseLevel => {
    const timestep = Math.fround(sigmas[step]! * timestepsPerSigma)
    return {
      sigma: Math.fround(timestep / timestepsPerSigma),
      timesteps: strengths.map((strength) =>
        Math.min(timestep, Math.fround(Math.fround(1 - strength) * timestepsPerSigma)),
      ),
    }
  }
  return {
    steps: sigmas.length - 1,
    levelAt,
    step(step, latents, velocity) {
      const { sigma, timesteps } = levelAt(step)
      const current = timesteps.map((timestep) => timestep / timestepsPerSigma)
      const next = current.map((own) => nextSigma(sigmas, own))
      const move = moves(latents)
      const [tokens, channels] = matrixSizes(latents)
      const moved = float32Tensor(latents.shape, Float32Array.from(latents.data))
      for (let token = 0, index = 0; token < tokens; token++) {
        const waits = sigma - tolerance >= 1 - strengths[token]!
        for (let channel = 0; channel < channels; channel++, index++) {
          if (!waits)
            moved.data[index] = move(latents.data[index]!, velocity.data[index]!, current[token]!, next[token]!, index)
        }
      }
      return moved
    },
  }
}

/** The scheduled sigma next below this one. */
export function nextSigma(sigmas: Float32Array, sigma: number): number {
  let next = 0
  for (const scheduled of sigmas) if (scheduled < sigma - tolerance && scheduled > next) next = scheduled
  return next
}
