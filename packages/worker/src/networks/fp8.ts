/**
 * Linear layers whose weights are 8-bit floats: they stay as they lie in the file. CUDA has a product that takes them so; elsewhere each weight is widened
 * where it is needed and dropped again.
 */

import { EngineError } from '../failure.ts'
import type { DataType, Graph, Value } from '../onnx/index.ts'
import type { TensorEntry } from '../weights/index.ts'
import type { Tensors } from './tensors.ts'

/** By what a weight `[outputs, ...]` is multiplied, float32: one number, or one for each output. */
export interface WeightScale {
  readonly value: Value
  readonly perOutput: boolean
}

export function isFloat8(dtype: DataType): boolean {
  return dtype === 'float8e4m3fn' || dtype === 'float8e5m2'
}

/**
 * The name of the scale of `X.weight`: `X.weight_scale` in the authors' files, `X.scale_weight` in ComfyUI's.
 * @throws EngineError `weights_mismatch` for a scale that is neither one number nor one for each output
 */
export function scaleOf(
  tensors: Tensors,
  name: string,
  outputs: number,
): { name: string; entry: TensorEntry } | undefined {
  if (!name.endsWith('.weight')) return undefined
  const layer = name.slice(0, -'.weight'.length)
  const found = [`${layer}.weight_scale`, `${layer}.scale_weight`].find((one) => tensors.has(one))
  const entry = found === undefined ? undefined : tensors.get(found)
  if (found === undefined || entry === undefined) return undefined
  const [first = 1, ...rest] = entry.shape
  if ((first === 1 || first === outputs) && rest.every((size) => size === 1)) return { name: found, entry }
  throw new EngineError(
    'weights_mismatch',
    `${entry.name} in ${entry.file} has the shape [${entry.shape.join(', ')}], but a scale is one number, or one for each of the ${outputs} outputs. Use another fp8 edition, or the bf16 one.`,
  )
}

/** weight · scale in float32, and then in the type that is asked for. */
export function widened(g: Graph, weight: Value, rank: number, scale: WeightScale | undefined, dtype: DataType): Value {
  if (scale === undefined) return g.cast(weight, dtype, { first: true })
  const factors = shaped(g, scale, [-1, ...Array.from({ length: rank - 1 }, () => 1)])
  const product = g.op('Mul', [g.cast(weight, 'float32', { first: true }), factors], {}, { first: true })
  return g.cast(product, dtype, { first: true })
}

/** A product's outputs `[rows, outputs]` · scale. */
export function scaledOutputs(g: Graph, product: Value, scale: WeightScale | undefined): Value {
  return scale === undefined ? product : g.mul(product, shaped(g, scale, [-1]))
}

/** Whether CUDA multiplies the two as they are. */
export function hasFp8Product(weight: DataType, compute: DataType): boolean {
  return weight === 'float8e4m3fn' && (compute === 'float16' || compute === 'bfloat16')
}

/**
 * x·(W · scale)ᵀ + b on CUDA.
 * @param x `[rows, inputs]`, float16 or bfloat16, as `bias` and the result
 * @param weight `[outputs, inputs]`, float8e4m3fn
 */
export function linearFp8(
  g: Graph,
  x: Value,
  weight: Value,
  [outputs, inputs]: readonly [outputs: number, inputs: number],
  scale: WeightScale | undefined,
  bias: Value | undefined,
): Value {
  // The operator knows a scale for each block of a row: here a block is a whole row.
  const rows =
    scale?.perOutput === true
      ? shaped(g, scale, [-1, 1])
      : g.expand(scale?.value ?? g.scalar('float32', 1), g.int64s([outputs, 1]))
  return g.op(
    'MatMulBlockQuantizedFp8Weight',
    [x, weight, rows, undefined, bias],
    { block_size: inputs },
    { domain: 'com.microsoft' },
  )
}

function shaped(g: Graph, { value, perOutput }: WeightScale, shape: readonly number[]): Value {
  return perOutput ? g.op('Reshape', [value, g.int64s(shape)], {}, { first: true }) : value
}
