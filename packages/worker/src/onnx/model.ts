/** What a graph consists of before it is written down: plain data, in ONNX's own terms. */

import type { DataType } from './data-type.ts'

/** A size, or the name of one that is known only when the graph runs. */
export type Dimension = number | string

/** A tensor flowing through a graph. */
export interface Value {
  readonly name: string
  readonly dtype: DataType
  /** Known for inputs, constants and weights; `undefined` for what a node computes (ONNX Runtime infers it). */
  readonly shape: readonly Dimension[] | undefined
}

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

/** A graph that the node runs: the body of a Loop, a branch of an If. */
export interface GraphAttribute {
  readonly kind: 'graph'
  readonly body: GraphBody
}

/** A plain number is an integer, a plain array a list of integers. */
export type Attribute = number | readonly number[] | string | FloatAttribute | TensorAttribute | GraphAttribute

export type Attributes = Readonly<Record<string, Attribute>>

export interface Node {
  readonly name: string
  readonly type: string
  /** '' is ai.onnx. */
  readonly domain: string
  /** '' stands for an optional input that is left out. */
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly attributes: Attributes
}

/** Where the bytes of a tensor lie in a file, little-endian and row by row. */
export interface FileRange {
  /** An absolute path without symbolic links. */
  readonly file: string
  /** Bytes from the start of the file. */
  readonly offset: number
  /** Bytes. */
  readonly length: number
}

export interface Initializer {
  readonly name: string
  readonly dtype: DataType
  readonly shape: readonly number[]
  readonly data: Uint8Array | FileRange
}

/** A graph inside a node. It sees every value of the graphs around it by name, so weights and constants stand in the outermost one. */
export interface GraphBody {
  readonly name: string
  readonly inputs: readonly Value[]
  readonly outputs: readonly Value[]
  readonly nodes: readonly Node[]
}

export interface Model extends GraphBody {
  /** Versions by domain; '' is ai.onnx. */
  readonly opsets: Readonly<Record<string, number>>
  readonly initializers: readonly Initializer[]
  /** The type of every value by name, those inside bodies included. */
  readonly types: ReadonlyMap<string, DataType>
}
