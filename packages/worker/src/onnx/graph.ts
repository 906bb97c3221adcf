/** Builds a {@link Model} step by step; `operators.ts` adds a method for each operator that we use. */

import { isAbsolute } from 'node:path'
import { bytesPerElement, elementCount, type DataType } from './data-type.ts'
import { encodeModel, weightsRoot } from './encode.ts'
import type { Attributes, Dimension, FileRange, GraphBody, Initializer, Model, Node, Value } from './model.ts'
import { float32ToBfloat16, float32ToFloat16 } from '../weights/dtype.ts'

export interface OperatorOptions {
  /** @default '' (ai.onnx) */
  readonly domain?: 'com.microsoft'
  /** Type of the result. @default the first input's */
  readonly dtype?: DataType
  /** Puts the node before all others. ONNX Runtime then runs it just before its result is needed: for Casts of weights. @default false */
  readonly first?: boolean
  /** Shape of the result, where the caller knows and wants to keep it. */
  readonly shape?: readonly Dimension[]
}

export type Operand = Value | undefined

/** The opsets of all our graphs: 22 is the first whose Conv takes bfloat16 on CUDA. */
const opsets = { '': 22, 'com.microsoft': 1 } as const

/** What a graph and the bodies inside it have in common: names, and everything that stands in the outermost graph. */
class Scope {
  readonly first: Node[] = []
  readonly initializers = new Map<string, Initializer>()
  readonly constants = new Map<string, Value>()
  readonly types = new Map<string, DataType>()
  nodes = 0
}

export class GraphBuilder {
  readonly name: string
  protected readonly scope: Scope
  readonly #inputs: Value[] = []
  readonly #outputs: Value[] = []
  readonly #nodes: Node[] = []

  /** @param around for the body of a node: the graph that the node is in */
  constructor(name: string, around?: GraphBuilder) {
    this.name = name
    this.scope = around?.scope ?? new Scope()
  }

  /** An input of the graph. A string as a size is a dimension known only at run time; inside a body the shape may be left open altogether. */
  input(name: string, dtype: DataType, shape?: readonly Dimension[]): Value {
    const value = this.#declare({ name, dtype, shape })
    this.#inputs.push(value)
    return value
  }

  /** Makes `value` an output of the graph, under a name of its own. */
  output(name: string, value: Value, shape?: readonly Dimension[]): void {
    const output = this.#declare({ name, dtype: value.dtype, shape: shape ?? value.shape })
    this.#nodes.push({
      name: `output.${name}`,
      type: 'Identity',
      domain: '',
      inputs: [value.name],
      outputs: [name],
      attributes: {},
    })
    this.#outputs.push(output)
  }

  /**
   * A tensor whose bytes stay in a file: a slice of a .safetensors file, for instance. Asking twice for one name gives one tensor.
   * @throws Error where the range's length does not fit the shape, or the path is not absolute
   */
  weight(name: string, dtype: DataType, shape: readonly number[], range: FileRange): Value {
    const expected = elementCount(shape) * bytesPerElement(dtype)
    if (range.length !== expected) {
      throw new Error(
        `${name}: ${range.length} bytes in ${range.file}, but ${dtype} [${shape.join(', ')}] needs ${expected}. The file is damaged or of another model.`,
      )
    }
    if (!isAbsolute(range.file)) throw new Error(`${name}: ${range.file} is not an absolute path.`)
    if (!this.scope.initializers.has(name)) {
      this.#declare({ name, dtype, shape })
      this.scope.initializers.set(name, { name, dtype, shape, data: range })
    }
    return { name, dtype, shape }
  }

  /** A tensor written into the graph. Equal constants are written once. */
  constant(dtype: DataType, shape: readonly number[], values: readonly number[] | Float32Array): Value {
    const data = encodeNumbers(dtype, values)
    if (data.byteLength !== elementCount(shape) * bytesPerElement(dtype)) {
      throw new Error(`A constant of shape [${shape.join(', ')}] cannot hold ${values.length} values.`)
    }
    const key =
      data.byteLength <= 256 ? `${dtype}[${shape.join(',')}]${Buffer.from(data).toString('base64')}` : undefined
    const known = key === undefined ? undefined : this.scope.constants.get(key)
    if (known !== undefined) return known
    const value = this.#declare({ name: `constant.${this.scope.initializers.size}`, dtype, shape })
    this.scope.initializers.set(value.name, { name: value.name, dtype, shape, data })
    if (key !== undefined) this.scope.constants.set(key, value)
    return value
  }

  scalar(dtype: DataType, value: number): Value {
    return this.constant(dtype, [], [value])
  }

  int64s(values: readonly number[]): Value {
    return this.constant('int64', [values.length], values)
  }

  /** Any operator with one result. `undefined` as an input leaves an optional one out. */
  op(type: string, inputs: readonly Operand[], attributes: Attributes = {}, options: OperatorOptions = {}): Value {
    const dtype = options.dtype ?? inputs.find((input) => input !== undefined)?.dtype
    if (dtype === undefined) throw new Error(`${type} has no input to take its type from: say options.dtype.`)
    const [value] = this.ops(type, inputs, attributes, [dtype], options)
    if (value === undefined) throw new Error(`${type} has no result.`)
    return options.shape === undefined ? value : { ...value, shape: options.shape }
  }

  /** Any operator with several results, whose types `dtypes` lists. */
  ops(
    type: string,
    inputs: readonly Operand[],
    attributes: Attributes,
    dtypes: readonly DataType[],
    options: OperatorOptions = {},
  ): Value[] {
    const list = options.first === true ? this.scope.first : this.#nodes
    const name = `${type}.${this.scope.nodes++}`
    const values = dtypes.map((dtype, index) =>
      this.#declare({ name: dtypes.length === 1 ? name : `${name}.${index}`, dtype, shape: undefined }),
    )
    list.push({
      name,
      type,
      domain: options.domain ?? '',
      inputs: inputs.map((input) => input?.name ?? ''),
      outputs: values.map((value) => value.name),
      attributes,
    })
    return values
  }

  /** What stands in this graph itself: as the body of a node. */
  body(): GraphBody {
    return { name: this.name, inputs: this.#inputs, outputs: this.#outputs, nodes: this.#nodes }
  }

  /** The graph as data: for checks that look at its nodes and weights. */
  model(): Model {
    return {
      ...this.body(),
      opsets,
      nodes: [...this.scope.first, ...this.#nodes],
      initializers: [...this.scope.initializers.values()],
      types: this.scope.types,
    }
  }

  /** The graph as an ONNX file's bytes, and the folder its weights are looked for in. */
  encode(): EncodedGraph {
    const model = this.model()
    return {
      name: this.name,
      bytes: encodeModel(model),
      weightsRoot: weightsRoot(model),
      foldConstants: !model.initializers.some(({ dtype }) => dtype === 'float8e4m3fn' || dtype === 'float8e5m2'),
    }
  }

  #declare(value: Value): Value {
    if (this.scope.types.has(value.name)) throw new Error(`${this.name} has two values named ${value.name}.`)
    this.scope.types.set(value.name, value.dtype)
    return value
  }
}

/** What a session is opened from. */
export interface EncodedGraph {
  readonly name: string
  readonly bytes: Uint8Array
  /** `/` on POSIX, the weights' drive on Windows. */
  readonly weightsRoot: string
  /** Whether what depends on nothing but weights is computed while loading. Not where weights are 8-bit floats: each would lie in memory a second time, widened. */
  readonly foldConstants: boolean
}

function encodeNumbers(dtype: DataType, values: readonly number[] | Float32Array): Uint8Array {
  const bytes = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
  switch (dtype) {
    case 'float32':
      return bytes(Float32Array.from(values))
    case 'float16':
      return bytes(float32ToFloat16(Float32Array.from(values)))
    case 'bfloat16':
      return bytes(float32ToBfloat16(Float32Array.from(values)))
    case 'float64':
      return bytes(Float64Array.from(values))
    case 'int64':
      return bytes(BigInt64Array.from([...values], BigInt))
    case 'uint64':
      return bytes(BigUint64Array.from([...values], BigInt))
    case 'int32':
      return bytes(Int32Array.from(values))
    case 'uint32':
      return bytes(Uint32Array.from(values))
    case 'int16':
      return bytes(Int16Array.from(values))
    case 'uint16':
      return bytes(Uint16Array.from(values))
    case 'int8':
      return bytes(Int8Array.from(values))
    case 'uint8':
    case 'bool':
      return bytes(Uint8Array.from(values))
    case 'float8e4m3fn':
    case 'float8e5m2':
      throw new Error(`${dtype} is a format of weights in files; no constant is written in it.`)
  }
}
