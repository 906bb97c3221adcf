/** Node attributes. A JavaScript number cannot say whether it is an integer or a float, and ONNX cares: floats are marked with {@link float}. */

import type { DataType } from './data-type.ts'

export interface FloatAttribute {
  readonly kind: 'float'
  readonly value: number
}

/** A small tensor written into the graph itself. */
export interface TensorAttribute {
  readonly kind: 'tensor'
  readonly dtype: DataType
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

/** A plain number is an integer, a plain array a list of integers. */
export type Attribute = number | readonly number[] | string | FloatAttribute | TensorAttribute

export type Attributes = Readonly<Record<string, Attribute>>

export function float(value: number): FloatAttribute {
  return { kind: 'float', value }
}
