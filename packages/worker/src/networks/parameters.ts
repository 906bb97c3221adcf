/** The weights of one model inside a graph: looked up by name, checked against the shape the config promises, cast to the type that computes. */

import { EngineError } from '../failure.ts'
import type { DataType, Graph, Value } from '../onnx/index.ts'
import { float } from '../onnx/index.ts'
import type { TensorEntry } from '../weights/index.ts'
import { linearInt8, type QuantizedWeights } from './int8.ts'
import { tensorOf, type Tensors } from './tensors.ts'

/** The type of matrix products and convolutions. Norms, residual streams and sums stay float32 whatever it is. */
export type ComputeType = 'float32' | 'float16' | 'bfloat16'

const storedTypes: Partial<Record<TensorEntry['dtype'], DataType>> = {
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
}

export class Parameters {
  readonly graph: Graph
  readonly compute: ComputeType
  /** Names that the graph has asked for: a model is complete when these are all there are. */
  readonly used = new Set<string>()
  readonly #tensors: Tensors
  readonly #quantized: QuantizedWeights

  /** @param quantized weights of linear layers in 8 bits, by the name of their float original; these layers then compute in int8 */
  constructor(graph: Graph, tensors: Tensors, compute: ComputeType, quantized: QuantizedWeights = new Map()) {
    this.graph = graph
    this.compute = compute
    this.#tensors = tensors
    this.#quantized = quantized
  }

  has(name: string): boolean {
    return this.#tensors.has(name)
  }

  /**
   * A weight as the graph computes with it.
   * @param shape what the config says it is
   * @param dtype default: the compute type
   * @throws EngineError `weights_mismatch` where it is missing, of another shape, or in a format we cannot compute with
   */
  tensor(name: string, shape: readonly number[], dtype: DataType = this.compute): Value {
    const entry = tensorOf(this.#tensors, name, shape)
    this.used.add(name)
    const stored = this.graph.weight(name, storedType(entry), shape, entry)
    return this.graph.cast(stored, dtype, { first: true })
  }

  /** x·Wᵀ + b with x `[rows, inputs]`; the weight lies as torch stores it, `[outputs, inputs]`. Computes in the compute type, or in int8 where it is quantized. */
  linear(x: Value, name: string, inputs: number, outputs: number, options: { bias?: boolean } = {}): Value {
    const { bias = true } = options
    const quantized = this.#quantized.get(`${name}.weight`)
    if (quantized !== undefined) {
      this.used.add(`${name}.weight`)
      const product = linearInt8(this.graph, x, `${name}.weight`, quantized)
      return bias ? this.graph.add(product, this.tensor(`${name}.bias`, [outputs], 'float32')) : product
    }
    const g = this.graph
    const weight = this.tensor(`${name}.weight`, [outputs, inputs])
    const operands = [g.cast(x, this.compute), weight]
    if (bias) operands.push(this.tensor(`${name}.bias`, [outputs]))
    return g.op('Gemm', operands, { transB: 1 })
  }

  /** Root mean square norm over the last axis in float32. Without a name, the norm has no weights. */
  rmsNorm(x: Value, size: number, epsilon: number, name?: string): Value {
    const g = this.graph
    const scale =
      name === undefined
        ? g.constant('float32', [size], new Float32Array(size).fill(1))
        : this.tensor(`${name}.weight`, [size], 'float32')
    return g.rmsNorm(g.cast(x, 'float32'), scale, epsilon)
  }
}

function storedType(entry: TensorEntry): DataType {
  const type = storedTypes[entry.dtype]
  if (type !== undefined) return type
  throw new EngineError(
    'unsupported_weights',
    `${entry.name} in ${entry.file} is stored as ${entry.dtype}; the ltx engine computes with fp32, fp16 and bf16 files. Choose one of those editions of the checkpoint.`,
  )
}

/** SiLU, in one operator. */
export function silu(g: Graph, x: Value): Value {
  return g.op('QuickGelu', [x], { alpha: float(1) }, { domain: 'com.microsoft' })
}
