/** Rotary positions: the angles by which each token's query and key are turned (Su et al., arXiv 2104.09864). */

import { float32Tensor, type Float32Tensor, type Graph, type Value } from '../onnx/index.ts'

export interface RotaryConfig {
  /** Width of the transformer: all heads together, which share one list of frequencies. */
  readonly innerSize: number
  /** For each axis, the coordinate at which the angles reach their full range. */
  readonly maximumPositions: readonly number[]
  readonly theta: number
}

/**
 * Cosines and sines `[tokens, innerSize / 2]`, one angle for each pair of channels.
 *
 * The angle of axis a at frequency i is (2c/max - 1) · π/2 · theta^(i/(n-1)); channels run through the frequencies first, then through the axes. What
 * does not divide by twice the number of axes is left unturned, at the front.
 * @param axes the coordinates of each axis, one a token
 */
export function rotaryTables(
  axes: readonly Float32Array[],
  config: RotaryConfig,
): { cos: Float32Tensor; sin: Float32Tensor } {
  const { innerSize, maximumPositions, theta } = config
  const pairs = innerSize / 2
  const perAxis = Math.floor(innerSize / (2 * axes.length))
  const unturned = pairs - perAxis * axes.length
  const frequencies = rotaryFrequencies(perAxis, theta)
  const tokens = axes[0]?.length ?? 0
  const cos = float32Tensor([tokens, pairs], new Float32Array(tokens * pairs).fill(1))
  const sin = float32Tensor([tokens, pairs])
  for (const [axis, values] of axes.entries()) {
    const maximum = maximumPositions[axis] ?? Number.NaN
    values.forEach((value, token) => {
      const position = Math.fround(Math.fround(Math.fround(value / maximum) * 2) - 1)
      const first = token * pairs + unturned + axis
      frequencies.forEach((frequency, index) => {
        const angle = Math.fround(frequency * position)
        cos.data[first + index * axes.length] = Math.cos(angle)
        sin.data[first + index * axes.length] = Math.sin(angle)
      })
    })
  }
  return { cos, sin }
}

/** π/2 · theta^(linspace(0, 1, count)), in float32 steps as torch takes them: the largest is 15708, where rounding moves the angle. */
function rotaryFrequencies(count: number, theta: number): Float32Array {
  const frequencies = new Float32Array(count)
  for (let index = 0; index < count; index++) {
    const exponent = Math.fround(count === 1 ? 0 : index / (count - 1))
    const power = Math.fround(theta ** exponent)
    frequencies[index] = Math.fround(Math.fround(power * Math.fround(Math.PI)) / 2)
  }
  return frequencies
}

/**
 * Turns queries or keys `[tokens, heads · headSize]`. Angles differ from head to head, so each head of each token is a position of its own: x is read
 * as `[1, tokens · heads, headSize]`. (One head of the whole width is the same sum, but CUDA's kernel has room for 1024 channels at most.)
 * @param cos `[tokens · heads, headSize / 2]`, as `sin`: see {@link perHead}
 */
export function rotate(g: Graph, x: Value, cos: Value, sin: Value, heads: number, headSize: number): Value {
  const apart = g.reshape(x, [1, -1, headSize])
  const turned = g.op(
    'RotaryEmbedding',
    [apart, g.int64s([0]), cos, sin],
    { interleaved: 1 },
    { domain: 'com.microsoft' },
  )
  return g.reshape(turned, [-1, heads * headSize])
}

/** A table `[tokens, innerSize / 2]` with one row for each head: `[tokens · heads, headSize / 2]`. */
export function perHead(g: Graph, table: Value, headSize: number): Value {
  return g.reshape(table, [-1, headSize / 2])
}
