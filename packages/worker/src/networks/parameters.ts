/** The weights of one model inside a graph: looked up by name, checked against the shape the config promises, cast to the type that computes. */

import { EngineError } from '../failure.ts'
import type { DataType, Graph, Value } from '../onnx/index.ts'
import { float } from '../onnx/index.ts'
import type { Int8Weight, TensorEntry } from '../weights/index.ts'
import { hasFp8Product, isFloat8, linearFp8, scaledOutputs, scaleOf, widened, type WeightScale } from './fp8.ts'
import { linearInt8 } from './int8.ts'
import type { ComputeType, GraphOptions } from './network.ts'
import { tensorOf, type Tensors } from './tensors.ts'

const storedTypes: Partial<Record<string, DataType>> = {
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  F8_E4M3: 'float8e4m3fn',
  F8_E5M2: 'float8e5m2',
}

export class Parameters {
  readonly graph: Graph
  readonly compute: ComputeType
  /** Names that the graph has asked for: a model is complete when these are all there are. */
  readonly used = new Set<string>()
  readonly #tensors: Tensors
  readonly #options: GraphOptions

  constructor(graph: Graph, tensors: Tensors, options: GraphOptions) {
    this.graph = graph
    this.compute = options.compute
    this.#tensors = tensors
    this.#options = options
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
    const stored = this.#stored(name, shape)
    return widened(this.graph, stored, shape.length, this.#scale(name, shape), dtype)
  }

  /** Rows of a table `[rows, size]`, float32. Only they are widened: a vocabulary's table is large, a prompt short. */
  rows(name: string, shape: readonly [rows: number, size: number], indices: Value): Value {
    const g = this.graph
    const stored = this.#stored(name, shape)
    // Gather does not take 8-bit floats; a half holds each of them exactly.
    const table = isFloat8(stored.dtype) ? g.cast(stored, 'float16', { first: true }) : stored
    const found = g.cast(g.gather(table, indices, 0), 'float32')
    const scale = this.#scale(name, shape)
    if (scale === undefined) return found
    return g.mul(found, scale.perOutput ? g.gather(g.reshape(scale.value, [-1, 1]), indices, 0) : scale.value)
  }

  /**
   * x·Wᵀ + b with x `[rows, inputs]`; the weight lies as torch stores it, `[outputs, inputs]`. Computes in the compute type, or in 8 bits where the weight
   * has them.
   */
  linear(x: Value, name: string, inputs: number, outputs: number, options: { bias?: boolean } = {}): Value {
    const { bias = true } = options
    const int8 = this.#options.quantized?.get(`${name}.weight`)
    const shape = [outputs, inputs] as const
    const product = int8 === undefined ? this.#product(x, name, shape, bias) : this.#int8(x, name, shape, bias, int8)
    return this.#withLoras(product, x, `${name}.weight`)
  }

  #product(x: Value, name: string, shape: readonly [outputs: number, inputs: number], bias: boolean): Value {
    const g = this.graph
    const weight = `${name}.weight`
    const operand = g.cast(x, this.compute)
    const added = bias ? this.tensor(`${name}.bias`, [shape[0]]) : undefined
    const stored = this.#stored(weight, shape)
    if (this.#options.provider === 'cuda' && hasFp8Product(stored.dtype, this.compute))
      return linearFp8(g, operand, stored, shape, this.#scale(weight, shape), added)
    return g.op('Gemm', [operand, this.tensor(weight, shape), ...(added === undefined ? [] : [added])], { transB: 1 })
  }

  #int8(
    x: Value,
    name: string,
    shape: readonly [outputs: number, inputs: number],
    bias: boolean,
    int8: Int8Weight,
  ): Value {
    const g = this.graph
    const weight = `${name}.weight`
    this.used.add(weight)
    const product = scaledOutputs(g, linearInt8(g, x, weight, int8), this.#scale(weight, shape))
    return bias ? g.add(product, this.tensor(`${name}.bias`, [shape[0]], 'float32')) : product
  }

  /** product + Σ factor · (x·downᵀ)·upᵀ, from the LoRA's own file. */
  #withLoras(product: Value, x: Value, weight: string): Value {
    const g = this.graph
    const half = (entry: TensorEntry, name: string) =>
      g.cast(g.weight(name, storedType(entry), entry.shape, entry), this.compute, { first: true })
    const layers = this.#options.loras?.get(weight) ?? []
    return layers.reduce((sum, { down, up, factor }, index) => {
      const name = `${weight}.lora.${index}`
      const thin = g.op('Gemm', [g.cast(x, this.compute), half(down, `${name}.down`)], { transB: 1 })
      const scaled = g.mul(thin, g.scalar(this.compute, factor))
      const change = g.op('Gemm', [scaled, half(up, `${name}.up`)], { transB: 1 })
      return g.add(sum, g.cast(change, sum.dtype))
    }, product)
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

  /** A weight as it lies in the file. */
  #stored(name: string, shape: readonly number[]): Value {
    const entry = tensorOf(this.#tensors, name, shape)
    this.used.add(name)
    return this.graph.weight(name, storedType(entry), shape, entry)
  }

  /** The scale of an fp8 weight; other formats have none. */
  #scale(name: string, [outputs = 1]: readonly number[]): WeightScale | undefined {
    const weight = this.#tensors.get(name)
    if (weight === undefined || !isFloat8(storedType(weight))) return undefined
    const found = scaleOf(this.#tensors, name, outputs)
    if (found === undefined) {
      if (this.#options.missingScale === 'refused' && name.endsWith('.weight')) throw withoutScale(weight)
      return undefined
    }
    const { entry } = found
    this.used.add(found.name)
    const stored = this.graph.weight(found.name, storedType(entry), entry.shape, entry)
    return { value: this.graph.cast(stored, 'float32', { first: true }), perOutput: (entry.shape[0] ?? 1) > 1 }
  }
}

function storedType(entry: TensorEntry): DataType {
  const type = storedTypes[entry.dtype]
  if (type !== undefined) return type
  throw new EngineError(
    'unsupported_weights',
    `${entry.name} in ${entry.file} is stored as ${entry.dtype}; the ltx engine computes with fp32, fp16, bf16 and fp8 files (F8_E4M3, F8_E5M2). Choose one of those editions of the checkpoint.`,
  )
}

function withoutScale({ name, file, dtype }: TensorEntry): EngineError {
  return new EngineError(
    'unsupported_weights',
    `${name} in ${file} is ${dtype} and has no scale (weight_scale), without which nobody knows how large its values are. Download the checkpoint again, or use its bf16 edition.`,
  )
}

/** SiLU, in one operator. */
export function silu(g: Graph, x: Value): Value {
  return g.op('QuickGelu', [x], { alpha: float(1) }, { domain: 'com.microsoft' })
}
