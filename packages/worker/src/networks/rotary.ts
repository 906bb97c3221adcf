/** Rotary positions: the angles by which each token's query and key are turned (Su et al., arXiv 2104.09864). */

import {
  elementCount,
  float32Tensor,
  type Float32Tensor,
  type Graph,
  type Int64Tensor,
  type Value,
} from '../onnx/index.ts'

export interface RotaryConfig {
  /** Width of the transformer: all heads together, which share one list of frequencies. */
  readonly innerSize: number
  /** For each axis, the coordinate at which the angles reach their full range. */
  readonly maximumPositions: readonly number[]
  readonly theta: number
}

/**
 * Angles as a graph takes them: rows for the few positions that there are, and which of them are each token's. All of the tokens' angles would be a
 * hundred megabytes and more.
 */
export interface RotaryPositions {
  /** `[positions, frequencies]`, as `sin`. */
  readonly cos: Float32Tensor
  readonly sin: Float32Tensor
  /** `[tokens, axes]`: the row of each token's coordinate on each axis. */
  readonly index: Int64Tensor
}

/**
 * The angle of a coordinate c at frequency i is (2c/max - 1) · π/2 · theta^(i/(n-1)); the axes share the frequencies.
 * @param axes the coordinates of each axis, one a token
 */
export function rotaryPositions(axes: readonly Float32Array[], config: RotaryConfig): RotaryPositions {
  const tokens = axes[0]?.length ?? 0
  const rows = new Map<number, bigint>()
  const index = new BigInt64Array(tokens * axes.length)
  for (const [axis, values] of axes.entries()) {
    const maximum = config.maximumPositions[axis] ?? Number.NaN
    for (const [token, value] of values.entries()) {
      const position = Math.fround(Math.fround(Math.fround(value / maximum) * 2) - 1)
      const row = rows.get(position) ?? BigInt(rows.size)
      rows.set(position, row)
      index[token * axes.length + axis] = row
    }
  }
  const frequencies = rotaryFrequencies(frequencyCount(config.innerSize, axes.length), config.theta)
  const shape = [rows.size, frequencies.length]
  const angles = new Float32Array(elementCount(shape))
  for (const [row, position] of [...rows.keys()].entries())
    angles.set(
      frequencies.map((frequency) => frequency * position),
      row * frequencies.length,
    )
  return {
    cos: float32Tensor(shape, angles.map(Math.cos)),
    sin: float32Tensor(shape, angles.map(Math.sin)),
    index: { dtype: 'int64', shape: [tokens, axes.length], data: index },
  }
}

/** Each axis has as many frequencies as go into half the width, shared evenly. */
function frequencyCount(innerSize: number, axes: number): number {
  return Math.floor(innerSize / (2 * axes))
}

/**
 * Declares the inputs `cos`, `sin` and `rotary_index` (see {@link RotaryPositions}) and works the tables of all tokens out from them: cosines and sines
 * `[tokens · heads, headSize / 2]`, one angle for each pair of channels and a row for each head. Channels run through the frequencies first, then through
 * the axes. What does not divide by twice the number of axes is left unturned, at the front.
 */
export function rotaryTables(
  g: Graph,
  config: Pick<RotaryConfig, 'innerSize' | 'maximumPositions'>,
  headSize: number,
): { cos: Value; sin: Value } {
  const axes = config.maximumPositions.length
  const frequencies = frequencyCount(config.innerSize, axes)
  const unturned = config.innerSize / 2 - frequencies * axes
  const index = g.input('rotary_index', 'int64', ['tokens', axes])
  const table = (name: 'cos' | 'sin', still: number) => {
    const rows = g.gather(g.input(name, 'float32', ['positions', frequencies]), index, 0)
    const turned = g.reshape(g.transpose(rows, [0, 2, 1]), [0, frequencies * axes])
    if (unturned === 0) return g.reshape(turned, [-1, headSize / 2])
    const shape = g.concat([g.sizeOf(index, 0), g.int64s([unturned])], 0)
    const front = g.expand(g.constant('float32', [1, 1], [still]), shape)
    return g.reshape(g.concat([front, turned], 1), [-1, headSize / 2])
  }
  return { cos: table('cos', 1), sin: table('sin', 0) }
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
 * @param cos `[tokens · heads, headSize / 2]`, as `sin`: see {@link rotaryTables}
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
