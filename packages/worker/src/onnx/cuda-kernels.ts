/**
 * A static check: whether ONNX Runtime's CUDA provider has a kernel for each node of a graph, with the types that the node has, taken together. It reads
 * nothing but the graph and a table; it does not run anything on a GPU, and says nothing about speed or memory.
 *
 * The table is ONNX Runtime's own list (docs/OperatorKernels.md, CUDAExecutionProvider) for opset 22, cut down to the operators we use, with the pairs of
 * types that the classes of kernels in the library of 1.30.0 say and the list does not.
 */

import type { DataType } from './data-type.ts'
import type { GraphBody, Model, Node } from './model.ts'

interface Kernel {
  /** The type variable of each input, by position; the last one holds for all that follow. */
  readonly inputs: readonly string[]
  /** The type variable of every output. */
  readonly output: string
  /** What each variable may be by itself. */
  readonly types: Readonly<Record<string, readonly DataType[]>>
  /** What T and V may be together. @default any of their types */
  readonly pairs?: readonly (readonly [T: DataType, V: DataType])[]
}

const floats = ['float32', 'float16', 'bfloat16'] as const
const withFloat64 = [...floats, 'float64'] as const
const integers = ['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'] as const
const numbers = [...withFloat64, ...integers] as const
const anything = [...numbers, 'bool'] as const
const withoutBfloat16 = ['float32', 'float16', 'float64'] as const
const float8 = ['float8e4m3fn', 'float8e5m2'] as const
const positions = ['int32', 'int64'] as const

/** Inputs and outputs of one type. */
function same(types: readonly DataType[]): Kernel {
  return { inputs: ['T'], output: 'T', types: { T: types } }
}

/** Beside the data, inputs that say where or how many: axes, shapes, indices. */
function placed(types: readonly DataType[], places: readonly DataType[] = ['int64']): Kernel {
  return { inputs: ['T', 'I'], output: 'T', types: { T: types, I: places } }
}

function crossed(from: readonly DataType[], to: readonly DataType[]): (readonly [DataType, DataType])[] {
  return from.flatMap((a) => to.map((b) => [a, b] as const))
}

/** Statistics are taken in float32 whatever comes in; bfloat16 mixes with nothing: there is no kernel for it with a float32 scale. */
const normPairs = [
  ...withFloat64.map((type) => [type, type] as const),
  ['float32', 'float16'],
  ['float16', 'float32'],
] as const

const kernels: Readonly<Record<string, Kernel>> = {
  Add: same(numbers),
  Cast: {
    inputs: ['T'],
    output: 'V',
    types: { T: [...anything, ...float8], V: [...anything, ...float8] },
    // The 8-bit floats become floats, and floats become them; nothing else.
    pairs: [...crossed(anything, anything), ...crossed(float8, floats), ...crossed(floats, float8)],
  },
  Clip: same([...withoutBfloat16, 'int8', 'int64', 'uint8', 'uint64']),
  Concat: same(anything),
  Conv: same(withFloat64),
  Div: same(numbers),
  Expand: placed([...withFloat64, 'int32', 'int64', 'bool']),
  Gather: placed(anything, positions),
  Gelu: same(withFloat64),
  Gemm: same(withFloat64),
  GridSample: same(['float32']),
  Identity: same(anything),
  InstanceNormalization: same(withoutBfloat16),
  // ONNX's own schema, from opset 17 on, wants one type; the library's older one let float32 and float16 mix.
  LayerNormalization: same(withFloat64),
  MatMul: same(withFloat64),
  Mul: same(numbers),
  ReduceMean: placed([...withoutBfloat16, 'int32']),
  Reshape: placed(anything),
  Round: same(withoutBfloat16),
  Shape: { inputs: ['T'], output: 'I', types: { T: anything, I: ['int64'] } },
  Sigmoid: same(withFloat64),
  SimplifiedLayerNormalization: {
    inputs: ['T', 'V'],
    output: 'V',
    types: { T: withFloat64, V: withFloat64 },
    pairs: normPairs,
  },
  Slice: placed(anything, positions),
  Split: placed(anything),
  Sqrt: same(withFloat64),
  Squeeze: placed(anything),
  Sub: same(numbers),
  Tile: placed([...withFloat64, 'int32', 'int64']),
  Transpose: same(anything),
  Unsqueeze: placed(anything),
  'com.microsoft:FusedMatMul': same(floats),
  'com.microsoft:MatMulBlockQuantizedFp8Weight': {
    inputs: ['T', 'W', 'S', 'S', 'T'],
    output: 'T',
    types: { T: ['float16', 'bfloat16'], W: ['float8e4m3fn'], S: ['float32'] },
  },
  'com.microsoft:MultiHeadAttention': same(floats),
  'com.microsoft:QuickGelu': same(floats),
  'com.microsoft:RotaryEmbedding': {
    inputs: ['T', 'I', 'T'],
    output: 'T',
    types: { T: floats, I: ['int64'] },
  },
}

/** They run where their bodies do and hand on what they are given, whatever its type; their own nodes are looked at one by one. */
const controlFlow: ReadonlySet<string> = new Set(['If', 'Loop'])

/** One sentence for each kind of node that CUDA has no kernel for; empty where the whole graph can run there. */
export function missingCudaKernels(model: Model): string[] {
  const problems = new Set<string>()
  for (const node of allNodes(model)) {
    const problem = problemOf(node, model.types)
    if (problem !== undefined) problems.add(problem)
  }
  return [...problems]
}

/** The nodes of a graph and of the bodies inside it. */
function* allNodes(body: GraphBody): Generator<Node> {
  for (const node of body.nodes) {
    yield node
    for (const attribute of Object.values(node.attributes))
      if (typeof attribute === 'object' && 'kind' in attribute && attribute.kind === 'graph')
        yield* allNodes(attribute.body)
  }
}

function problemOf(node: Node, types: Model['types']): string | undefined {
  const name = node.domain === '' ? node.type : `${node.domain}:${node.type}`
  if (controlFlow.has(name)) return undefined
  const kernel = kernels[name]
  if (kernel === undefined) return `${name}: not in the table of CUDA kernels`
  /** The types that the node gives each variable. */
  const bound = new Map<string, Set<DataType>>()
  for (const { variable, value, place } of operandsOf(node, kernel)) {
    const type = types.get(value)
    if (type === undefined || kernel.types[variable]?.includes(type) !== true) {
      return place === undefined
        ? `${name}: no kernel that gives ${type ?? 'nothing'}`
        : `${name}: no kernel with ${type ?? 'nothing'} as input ${place}`
    }
    bound.set(variable, (bound.get(variable) ?? new Set()).add(type))
  }
  return clash(name, kernel, bound)
}

/** Each input and output that the node has, with its type variable; outputs have no place. */
function operandsOf(node: Node, kernel: Kernel): { variable: string; value: string; place?: number }[] {
  const variableAt = (place: number) => kernel.inputs[Math.min(place, kernel.inputs.length - 1)] ?? 'T'
  return [
    ...node.inputs.flatMap((value, place) => (value === '' ? [] : [{ variable: variableAt(place), value, place }])),
    ...node.outputs.map((value) => ({ variable: kernel.output, value })),
  ]
}

/** Types that are all known to the operator, but not together. */
function clash(name: string, kernel: Kernel, bound: ReadonlyMap<string, ReadonlySet<DataType>>): string | undefined {
  const mixed = [...bound.values()].find((types) => types.size > 1)
  if (mixed !== undefined) return `${name}: no kernel for ${[...mixed].join(' and ')} together`
  const [[T] = [], [V] = []] = [bound.get('T') ?? [], bound.get('V') ?? []].map((types) => [...types])
  const known = kernel.pairs === undefined || V === undefined || kernel.pairs.some(([a, b]) => a === T && b === V)
  return known ? undefined : `${name}: no kernel for ${T} and ${V} together`
}
