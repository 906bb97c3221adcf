/** Linear layers in 8 bits, on CPUs: how they compute, and how a checkpoint's float weights become int8 ones, once, in a cache. */

import type { Graph, Value } from '../onnx/index.ts'
import { quantizeWeights, type Int8Weight, type TensorEntry } from '../weights/index.ts'
import type { Tensors } from './tensors.ts'

/** By the name of the float weight in our graphs. */
export type QuantizedWeights = ReadonlyMap<string, Int8Weight>

/**
 * x·Wᵀ with x `[rows, inputs]`, in float32 at both ends. Each row is divided by its largest value first, so that one token's outlier does not cost
 * the others their precision; ONNX Runtime then quantizes the whole of x with one scale, computes with signed per-channel weights, and the row's scale
 * is put back.
 */
export function linearInt8(g: Graph, x: Value, name: string, weight: Int8Weight): Value {
  const [inputs = 0, outputs = 0] = weight.values.shape
  const rows = g.cast(x, 'float32')
  const largest = g.op('ReduceMax', [g.op('Abs', [rows]), g.int64s([-1])], { keepdims: 1 })
  const scale = g.op('Max', [largest, g.scalar('float32', 1e-12)])
  const packed = g.weight(`${name}.int8`, 'int8', [inputs, outputs], weight.values)
  const scales = g.weight(`${name}.scale`, 'float32', [outputs], weight.scales)
  const product = g.op(
    'DynamicQuantizeMatMul',
    [g.div(rows, scale), packed, scales],
    {},
    { domain: 'com.microsoft', dtype: 'float32' },
  )
  return g.mul(product, scale)
}

export interface QuantizeOptions {
  /** Where int8 files are kept. */
  readonly folder: string
  readonly signal?: AbortSignal | undefined
  /** Called now and then while a file is made; not at all where it is there already. */
  readonly onProgress?: ((bytesDone: number, bytesTotal: number) => void) | undefined
}

/**
 * int8 editions of the layers whose weights' names match.
 * @throws WeightsError `disk_full` before anything is written, and as `quantizeWeights` says
 */
export async function quantizeLayers(
  tensors: Tensors,
  layers: RegExp,
  { folder, signal, onProgress }: QuantizeOptions,
): Promise<QuantizedWeights> {
  // A single file's entries carry the authors' names: in the cache, as in our graphs, a layer has one name.
  const chosen: TensorEntry[] = [...tensors]
    .filter(([name]) => layers.test(name))
    .map(([name, entry]) => ({ ...entry, name }))
  return quantizeWeights({
    tensors: chosen,
    folder,
    signal,
    ...(onProgress && {
      onProgress: ({ bytesDone, bytesTotal }: { bytesDone: number; bytesTotal: number }) =>
        onProgress(bytesDone, bytesTotal),
    }),
  })
}
