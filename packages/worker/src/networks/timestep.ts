/** Time as the networks see it: sinusoids of the timestep, then a small perceptron. */

import { float32Tensor, type Float32Tensor, type Int64Tensor, type Value } from '../onnx/index.ts'
import { silu, type Parameters } from './parameters.ts'

/** Sinusoids per timestep, half cosines, half sines. */
export const timestepFeatureSize = 256

/**
 * `[timesteps, 256]`: cos(t·f) then sin(t·f) with f = 10000^(-i/128). In float32 steps, as torch computes them: at t = 1000 the rounding of the
 * product is visible in the sine.
 * @param timesteps 0..1000
 */
export function timestepFeatures(timesteps: readonly number[]): Float32Tensor {
  const half = timestepFeatureSize / 2
  const features = float32Tensor([timesteps.length, timestepFeatureSize])
  const step = Math.fround(-Math.log(10000))
  timesteps.forEach((timestep, row) => {
    for (let index = 0; index < half; index++) {
      const frequency = Math.fround(Math.exp(Math.fround(Math.fround(step * index) / half)))
      const angle = Math.fround(Math.fround(timestep) * frequency)
      features.data[row * timestepFeatureSize + index] = Math.cos(angle)
      features.data[row * timestepFeatureSize + half + index] = Math.sin(angle)
    }
  })
  return features
}

/** Each value once, and where among those each of the given ones stands: few levels of noise are shared by thousands of tokens. */
export function distinctValues(values: Float32Array): { distinct: number[]; index: Int64Tensor } {
  const places = new Map<number, bigint>()
  const index = new BigInt64Array(values.length)
  let [last, place] = [Number.NaN, 0n]
  for (const [token, value] of values.entries()) {
    if (value !== last) {
      last = value
      place = places.get(value) ?? BigInt(places.size)
      places.set(value, place)
    }
    index[token] = place
  }
  return { distinct: [...places.keys()], index: { dtype: 'int64', shape: [values.length], data: index } }
}

/** Linear, SiLU, Linear: `[timesteps, 256]` to `[timesteps, size]`. */
export function embedTimestep(p: Parameters, features: Value, name: string, size: number): Value {
  const hidden = p.linear(features, `${name}.linear_1`, timestepFeatureSize, size)
  return p.linear(silu(p.graph, hidden), `${name}.linear_2`, size, size)
}
