/** What an int8 edition of a linear layer's weight is, wherever it lies. */

import type { FileRange } from '../../onnx/index.ts'

export interface QuantizedWeight {
  /** The float weight's shape: `[outputs, inputs]`. */
  readonly shape: readonly [outputs: number, inputs: number]
  /** int8, `[inputs, outputs]`: transposed, as ONNX Runtime's int8 product wants it. */
  readonly values: FileRange
  /** float32 `[outputs]`: what one step of each output's integers is worth. */
  readonly scales: FileRange
}
