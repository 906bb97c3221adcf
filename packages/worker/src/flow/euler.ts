/** Euler's method on a flow, token by token: tokens that a picture gives may stand at another level of noise than the rest. */

import { matrixSizes, type Float32Tensor } from '../onnx/index.ts'
import type { NoiseLevel, Sampler, SamplerStart, StartSampler } from './sampler.ts'

const timestepsPerSigma = 1000
const tolerance = 1e-6

/** Moves values `start .. end - 1` of the latents, all of one level of noise, from their own sigma to the one they go to. */
type Move = (start: number, end: number, from: number, to: number) => void

/** x + (next - sigma) · v: follows the flow. */
export const startEuler: StartSampler = (start) =>
  tokenwise(start, ({ data: latents }, { data: velocity }) => (first, end, from, to) => {
    const length = Math.fround(to - from)
    for (let index = first; index < end; index++) latents[index] = latents[index]! + length * velocity[index]!
  })

/** (1 - next) · x₀ + next · fresh noise, with x₀ = x - sigma · v: goes to the end and back each time, as some distilled models are trained to. */
export const startStochasticEuler: StartSampler = (start) =>
  tokenwise(start, ({ data: latents, shape }, { data: velocity }) => {
    const { data: noise } = start.draws.normal([1, ...shape])
    return (first, end, from, to) => {
      for (let index = first; index < end; index++)
        latents[index] = (1 - to) * (latents[index]! - from * velocity[index]!) + to * noise[index]!
    }
  })

/**
 * Each token moves from its own sigma to the next scheduled one below. One that a picture gives to the degree s is never noisier than 1 - s, so it
 * waits until the schedule has come down to that.
 */
function tokenwise(
  { sigmas, strengths }: SamplerStart,
  moves: (latents: Float32Tensor, velocity: Float32Tensor) => Move,
): Sampler {
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
      const move = moves(latents, velocity)
      const [tokens, channels] = matrixSizes(latents)
      matrixSizes(velocity)
      // Neighbours are mostly of one level: they go together.
      for (let token = 0; token < tokens;) {
        const first = token
        const strength = strengths[first]!
        while (token < tokens && strengths[token] === strength) token++
        const waits = sigma - tolerance >= 1 - strength
        const from = Math.fround(timesteps[first]! / timestepsPerSigma)
        if (!waits) move(first * channels, token * channels, from, Math.fround(nextSigma(sigmas, from)))
      }
      return latents
    },
  }
}

/** The scheduled sigma next below this one. */
export function nextSigma(sigmas: Float32Array, sigma: number): number {
  let next = 0
  for (const scheduled of sigmas) if (scheduled < sigma - tolerance && scheduled > next) next = scheduled
  return next
}
