/**
 * A static check: whether ONNX Runtime's CUDA provider has a kernel for each node of a graph, with the types that the node has. It reads nothing but
 * the graph and a table; it does not run anything on a GPU, and says nothing about speed or memory.
 *
 * The table is ONNX Runtime's own list (docs/OperatorKernels.md, CUDAExecutionProvider) for opset 22, cut down to the operators we use.
 */

import type { DataType } from './data-type.ts'
import type { Model, Node } from './model.ts'

interface Kernel {
  /** Types of all inputs that are not named in `indices`, and of the outputs. */
  readonly types: readonly DataType[]
  /** Inputs that have types of their own, by position: shapes, axes, indices. */
  readonly indices?: Readonly<Record<number, readonly DataType[]>>
  /** Whether inputs and outputs may differ in type among `types`. @default false */
  readonly mixed?: boolean
  /** Type of the outputs, where it is always the same. */
  readonly output?: DataType
}

const floats = ['float32', 'float16', 'bfloat16'] as const
const integers = ['int8', 'int16', 'int32', 'int64', 'uint8', 'uint16', 'uint32', 'uint64'] as const
const numbers = [...floats, 'float64', ...integers] as const
const anything = [...numbers, 'bool'] as const
const withoutBfloat16 = ['float32', 'float16', 'float64'] as const
const axes = { 1: ['int64'] } as const
const positions = ['int32', 'int64'] as const

const kernels: Readonly<Record<string, Kernel>> = {
  Add: { types: numbers },
  Cast: { types: anything, mixed: true },
  Clip: { types: [...withoutBfloat16, 'int8', 'int64', 'uint8', 'uint64'] },
  Concat: { types: anything },
  Conv: { types: [...floats, 'float64'] },
  Div: { types: numbers },
  Gather: { types: anything, indices: { 1: positions } },
  Gelu: { types: [...floats, 'float64'] },
  Gemm: { types: [...floats, 'float64'] },
  GridSample: { types: ['float32'] },
  Identity: { types: anything },
  InstanceNormalization: { types: withoutBfloat16 },
  LayerNormalization: { types: [...floats, 'float64'], mixed: true },
  MatMul: { types: [...floats, 'float64'] },
  Mul: { types: numbers },
  ReduceMean: { types: [...withoutBfloat16, 'int32'], indices: axes },
  Reshape: { types: anything, indices: axes },
  Shape: { types: anything, output: 'int64' },
  Sigmoid: { types: [...floats, 'float64'] },
  SimplifiedLayerNormalization: { types: [...floats, 'float64'], mixed: true },
  Slice: { types: anything, indices: { 1: positions, 2: positions, 3: positions, 4: positions } },
  Split: { types: anything, indices: axes },
  Sqrt: { types: [...floats, 'float64'] },
  Squeeze: { types: anything, indices: axes },
  Sub: { types: numbers },
  Tile: { types: [...floats, 'float64', 'int32', 'int64'], indices: axes },
  Transpose: { types: anything },
  Unsqueeze: { types: anything, indices: axes },
  'com.microsoft:FusedMatMul': { types: floats },
  'com.microsoft:MultiHeadAttention': { types: floats },
  'com.microsoft:QuickGelu': { types: floats },
  'com.microsoft:RotaryEmbedding': { types: floats, indices: axes },
}

/** One sentence for each kind of node that CUDA has no kernel for; empty where the whole graph can run there. */
export function missingCudaKernels(model: Model): string[] {
  const problems = new Set<string>()
  for (const node of model.nodes) {
    const problem = problemOf(node, model.types)
    if (problem !== undefined) problems.add(problem)
  }
  return [...problems]
}

function problemOf(node: Node, types: Model['types']): string | undefined {
  const name = node.domain === '' ? node.type : `${node.domain}:${node.type}`
  const kernel = kernels[name]
  if (kernel === undefined) return `${name}: not in the table of CUDA kernels`
  const seen = new Set<DataType>()
  for (const [position, input] of node.inputs.entries()) {
    if (input === '') continue
    const type = types.get(input)
    const allowed = kernel.indices?.[position] ?? kernel.types
    if (type === undefined || !allowed.includes(type))
      return `${name}: no kernel with ${type ?? 'nothing'} as input ${position}`
    if (kernel.indices?.[position] === undefined) seen.add(type)
  }
  for (const output of node.outputs) {
    const type = types.get(output)
    if (kernel.output !== undefined ? type !== kernel.output : type === undefined || !kernel.types.includes(type)) {
      return `${name}: no kernel that gives ${type ?? 'nothing'}`
    }
    if (kernel.output === undefined && type !== undefined) seen.add(type)
  }
  return seen.size > 1 && kernel.mixed !== true
    ? `${name}: no kernel for ${[...seen].join(' and ')} together`
    : undefined
}
