/** What every builder of a network is given and gives. */

import type { Graph, Provider } from '../onnx/index.ts'
import type { QuantizedWeights } from './int8.ts'
import type { LoraLayers } from './lora/layer.ts'

/** The type of matrix products and convolutions. Norms, residual streams and sums stay float32 whatever it is. */
export type ComputeType = 'float32' | 'float16' | 'bfloat16'

export interface GraphOptions {
  readonly compute: ComputeType
  /** Where the graph will run: CUDA multiplies with 8-bit floats as they are. @default 'cpu' */
  readonly provider?: Provider
  /** Weights of linear layers in 8 bits, by the name of their float original; these layers then compute in int8. @default none */
  readonly quantized?: QuantizedWeights
  /** LoRAs that are computed beside their weights, of linear layers. @default none */
  readonly loras?: LoraLayers
  /** What an fp8 weight without a scale is: 1, as LTX-Video's files mean it, or a file that lost its scales. @default 'one' */
  readonly missingScale?: 'one' | 'refused'
}

export interface BuiltGraph {
  readonly graph: Graph
  /** Names of the checkpoint's tensors that are in the graph. */
  readonly used: ReadonlySet<string>
}
