import { float, type Value } from '../onnx/index.ts'
import type { Parameters } from './parameters.ts'

/** Group norm of `[1, C, F, H, W]`, in float32. (Wu and He, arXiv 1803.08494) */
export function groupNorm(
  p: Parameters,
  x: Value,
  name: string,
  channels: number,
  groups: number,
  epsilon: number,
): Value {
  const g = p.graph
  const shape = g.op('Shape', [x], {}, { dtype: 'int64' })
  const grouped = g.reshape(g.cast(x, 'float32'), [1, groups, -1])
  const ones = g.constant('float32', [groups], new Float32Array(groups).fill(1))
  const zeros = g.constant('float32', [groups], new Float32Array(groups))
  const normed = g.reshape(g.op('InstanceNormalization', [grouped, ones, zeros], { epsilon: float(epsilon) }), shape)
  const weight = g.reshape(p.tensor(`${name}.weight`, [channels], 'float32'), [1, channels, 1, 1, 1])
  const bias = g.reshape(p.tensor(`${name}.bias`, [channels], 'float32'), [1, channels, 1, 1, 1])
  return g.cast(g.add(g.mul(normed, weight), bias), x.dtype)
}
