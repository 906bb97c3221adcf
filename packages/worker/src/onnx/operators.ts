/** One method for each operator that the engines use, named as ONNX names it. https://onnx.ai/onnx/operators */

import { float } from './attributes.ts'
import { dataTypeNumbers, type DataType } from './data-type.ts'
import { GraphBuilder, type OperatorOptions } from './graph.ts'
import type { Value } from './model.ts'

export class Graph extends GraphBuilder {
  add(a: Value, b: Value): Value {
    return this.op('Add', [a, b])
  }

  sub(a: Value, b: Value): Value {
    return this.op('Sub', [a, b])
  }

  mul(a: Value, b: Value): Value {
    return this.op('Mul', [a, b])
  }

  div(a: Value, b: Value): Value {
    return this.op('Div', [a, b])
  }

  sqrt(x: Value): Value {
    return this.op('Sqrt', [x])
  }

  sigmoid(x: Value): Value {
    return this.op('Sigmoid', [x])
  }

  /** x·sigmoid(x). */
  silu(x: Value): Value {
    return this.mul(x, this.sigmoid(x))
  }

  /** The tanh form of GELU, as torch's `gelu(approximate="tanh")`. */
  geluTanh(x: Value): Value {
    return this.op('Gelu', [x], { approximate: 'tanh' })
  }

  /** Rounds to the bounds; both are scalars of x's type. */
  clip(x: Value, minimum: number, maximum: number): Value {
    return this.op('Clip', [x, this.scalar(x.dtype, minimum), this.scalar(x.dtype, maximum)])
  }

  /** Nothing where x has the type already. */
  cast(x: Value, dtype: DataType, options: OperatorOptions = {}): Value {
    return x.dtype === dtype ? x : this.op('Cast', [x], { to: dataTypeNumbers[dtype] }, { ...options, dtype })
  }

  matMul(a: Value, b: Value): Value {
    return this.op('MatMul', [a, b])
  }

  /** a·bᵀ with b as torch stores a Linear's weight: [out, in]. */
  matMulTransposed(a: Value, b: Value): Value {
    return this.op('FusedMatMul', [a, b], { transB: 1 }, { domain: 'com.microsoft' })
  }

  /**
   * Convolution over any number of spatial axes. x `[B, C, ...]`, weight `[out, C, ...kernel]`.
   * @param pads per axis at the start, then per axis at the end. Default: none
   */
  conv(
    x: Value,
    weight: Value,
    bias: Value | undefined,
    options: { strides?: readonly number[]; pads?: readonly number[] } = {},
  ): Value {
    const attributes = {
      ...(options.strides && { strides: options.strides }),
      ...(options.pads && { pads: options.pads }),
    }
    return this.op('Conv', bias === undefined ? [x, weight] : [x, weight, bias], attributes)
  }

  /** `shape` may hold 0 (as in x) and one -1 (what is left). */
  reshape(x: Value, shape: readonly number[] | Value): Value {
    return this.op('Reshape', [x, 'name' in shape ? shape : this.int64s(shape)])
  }

  transpose(x: Value, permutation: readonly number[]): Value {
    return this.op('Transpose', [x], { perm: permutation })
  }

  concat(values: readonly Value[], axis: number): Value {
    return values.length === 1 && values[0] !== undefined ? values[0] : this.op('Concat', values, { axis })
  }

  /** Elements start..end (exclusive) of one axis; negative numbers count from the end. */
  slice(x: Value, axis: number, start: number, end: number = Number.MAX_SAFE_INTEGER): Value {
    return this.op('Slice', [x, this.int64s([start]), this.int64s([end]), this.int64s([axis])])
  }

  split(x: Value, axis: number, sizes: readonly number[]): Value[] {
    return this.ops(
      'Split',
      [x, this.int64s(sizes)],
      { axis },
      sizes.map(() => x.dtype),
    )
  }

  gather(x: Value, indices: Value, axis: number): Value {
    return this.op('Gather', [x, indices], { axis })
  }

  unsqueeze(x: Value, axes: readonly number[]): Value {
    return this.op('Unsqueeze', [x, this.int64s(axes)])
  }

  expand(x: Value, shape: Value): Value {
    return this.op('Expand', [x, shape])
  }

  tile(x: Value, repeats: readonly number[]): Value {
    return this.op('Tile', [x, this.int64s(repeats)])
  }

  /** The size of one axis as an int64 tensor of one element. */
  sizeOf(x: Value, axis: number): Value {
    return this.op('Shape', [x], { start: axis, end: axis + 1 }, { dtype: 'int64' })
  }

  reduceMean(x: Value, axes: readonly number[], keepDimensions = true): Value {
    return this.op('ReduceMean', [x, this.int64s(axes)], { keepdims: keepDimensions ? 1 : 0 })
  }

  /** Layer norm over the last axis. */
  layerNorm(x: Value, scale: Value, bias: Value | undefined, epsilon: number): Value {
    return this.op('LayerNormalization', bias === undefined ? [x, scale] : [x, scale, bias], {
      axis: -1,
      epsilon: float(epsilon),
    })
  }

  /** Root mean square norm over the last axis: x / sqrt(mean(x²) + epsilon) · scale, summed in float32. */
  rmsNorm(x: Value, scale: Value, epsilon: number): Value {
    return this.op('SimplifiedLayerNormalization', [x, scale], { axis: -1, epsilon: float(epsilon), stash_type: 1 })
  }

  /**
   * Samples x `[B, C, h, w]` at grid `[B, H, W, 2]` (x then y, -1 and 1 are the borders).
   * @param options.mode linear by default; cubic is Catmull-Rom-like (a = -0.75)
   * @param options.padding what lies outside: zeros by default
   * @param options.alignCorners whether -1 and 1 are the centres of the outermost pixels instead of their outer edges
   */
  gridSample(
    x: Value,
    grid: Value,
    options: {
      mode?: 'linear' | 'nearest' | 'cubic'
      padding?: 'zeros' | 'border' | 'reflection'
      alignCorners?: boolean
    } = {},
  ): Value {
    const { mode = 'linear', padding = 'zeros', alignCorners = false } = options
    return this.op('GridSample', [x, grid], { mode, padding_mode: padding, align_corners: alignCorners ? 1 : 0 })
  }

  /**
   * Computes one of two branches. Both see every value of this graph, and give as many values of the same types.
   * @param condition bool, one element
   */
  when(condition: Value, then: Branch, otherwise: Branch): Value[] {
    const branch = (label: string, build: Branch) => {
      const body = new Graph(`If.${this.scope.nodes}.${label}`, this)
      const results = build(body)
      for (const [index, value] of results.entries()) body.output(`${body.name}.${index}`, value)
      return { attribute: { kind: 'graph', body: body.body() } as const, types: results.map(({ dtype }) => dtype) }
    }
    const [yes, no] = [branch('then', then), branch('else', otherwise)]
    if (yes.types.join() !== no.types.join())
      throw new Error(`The branches of an If give [${yes.types.join(', ')}] and [${no.types.join(', ')}].`)
    return this.ops('If', [condition], { then_branch: yes.attribute, else_branch: no.attribute }, yes.types)
  }

  /**
   * Runs a body so many times.
   * @param count int64, a scalar
   * @param carried what the first round begins with; each round hands its own on to the next
   * @param build of one round: `round` counts from 0 (int64, a scalar). What it gives as `scanned` is kept from every round
   * @returns what the last round carried, and the scanned values of all rounds, stacked along a new first axis
   */
  loop(
    count: Value,
    carried: readonly Value[],
    build: (body: Graph, round: Value, carried: readonly Value[]) => LoopRound,
  ): { carried: Value[]; scanned: Value[] } {
    const body = new Graph(`Loop.${this.scope.nodes}.body`, this)
    const round = body.input(`${body.name}.round`, 'int64', [])
    const goesOn = body.input(`${body.name}.goes_on`, 'bool', [])
    const given = carried.map(({ dtype }, index) => body.input(`${body.name}.carried.${index}`, dtype))
    const result = build(body, round, given)
    if (result.carried.map(({ dtype }) => dtype).join() !== carried.map(({ dtype }) => dtype).join())
      throw new Error(`A round of ${body.name} must hand on what it was given: values of the same number and types.`)
    const { scanned = [] } = result
    body.output(`${body.name}.goes_on.next`, goesOn)
    for (const [index, value] of [...result.carried, ...scanned].entries())
      body.output(`${body.name}.result.${index}`, value)
    const types = [...result.carried, ...scanned].map(({ dtype }) => dtype)
    const inputs = [count, this.constant('bool', [], [1]), ...carried]
    const values = this.ops('Loop', inputs, { body: { kind: 'graph', body: body.body() } }, types)
    return { carried: values.slice(0, carried.length), scanned: values.slice(carried.length) }
  }
}

/** Builds one branch of a {@link Graph.when}. */
export type Branch = (body: Graph) => readonly Value[]

/** What one round of a {@link Graph.loop} gives. */
export interface LoopRound {
  readonly carried: readonly Value[]
  readonly scanned?: readonly Value[]
}

/**
 * Starts an empty graph.
 *
 * @example
 *     const g = graph('double')
 *     const x = g.input('x', 'float32', [1, 'width'])
 *     g.output('y', g.add(x, x))
 *     const session = await openSession(g.encode())
 */
export function graph(name: string): Graph {
  return new Graph(name)
}
