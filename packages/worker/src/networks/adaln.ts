/** Adaptive layer norm: a timestep's shifts, scales and gates, given to each token (Peebles and Xie, arXiv 2212.09748). */

import type { Graph, Value } from '../onnx/index.ts'

/**
 * Takes `[timesteps, names, size]` apart and gives each token the rows of its timestep: `[tokens, size]` under each name.
 * @param timestepIndex `[tokens]` int64: which of the timesteps is a token's own
 */
export function modulationRows<const Names extends readonly string[]>(
  g: Graph,
  values: Value,
  names: Names,
  timestepIndex: Value,
): Readonly<Record<Names[number], Value>> {
  const rows = g.split(
    values,
    1,
    names.map(() => 1),
  )
  const given = rows.map((row) => g.gather(g.op('Squeeze', [row, g.int64s([1])]), timestepIndex, 0))
  // Split gives one row for each name.
  return Object.fromEntries(names.map((name, index) => [name, given[index]])) as Record<Names[number], Value>
}

/** x · (1 + scale) + shift, in float32. */
export function scaleAndShift(g: Graph, x: Value, scale: Value, shift: Value): Value {
  return g.add(g.mul(x, g.add(scale, g.scalar('float32', 1))), shift)
}

/** x · gate, in float32. */
export function gated(g: Graph, x: Value, gate: Value): Value {
  return g.mul(g.cast(x, 'float32'), gate)
}
