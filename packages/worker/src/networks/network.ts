/** What every builder of a network is given and gives. */

import type { Graph } from '../onnx/index.ts'
import type { QuantizedWeights } from './int8.ts'
import type { ComputeType } from './parameters.ts'

export interface GraphOptions {
  readonly compute: ComputeType
  readonly quantized?: QuantizedWeights
}

export interface BuiltGraph {
  readonly graph: Graph
  /** Names of the checkpoint's tensors that are in the graph. */
  readonly used: ReadonlySet<string>
}
