/** Attention over tokens, in the kernels that ONNX Runtime has for it. */

import { float, type Value } from '../onnx/index.ts'
import type { Parameters } from './parameters.ts'

export interface AttentionOptions {
  readonly heads: number
  /** What products of queries and keys are multiplied by. @default 1 / √(size of a head) */
  readonly scale?: number
  /** Added to the products, `[1, heads or 1, queries, keys]`, in the compute type. @default none */
  readonly bias?: Value
}

/**
 * softmax(q·kᵀ · scale + bias) · v, head by head.
 * @param query `[queries, size]`
 * @param key `[keys, size]`
 * @param value `[keys, size]`
 * @returns `[queries, size]` in the compute type
 */
export function attend(p: Parameters, query: Value, key: Value, value: Value, options: AttentionOptions): Value {
  const g = p.graph
  const { heads, scale, bias } = options
  const operands = [query, key, value].map((operand) => g.unsqueeze(g.cast(operand, p.compute), [0]))
  const attended = g.op(
    'MultiHeadAttention',
    bias === undefined ? operands : [...operands, undefined, undefined, bias],
    { num_heads: heads, ...(scale !== undefined && { scale: float(scale) }) },
    { domain: 'com.microsoft' },
  )
  return g.op('Squeeze', [attended, g.int64s([0])])
}
