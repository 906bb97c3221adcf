import type { TensorEntry } from '../../weights/index.ts'

/** What a LoRA adds to one weight: factor · up · down. */
export interface LoraLayer {
  /** `[rank, inputs]`. */
  readonly down: TensorEntry
  /** `[outputs, rank]`. */
  readonly up: TensorEntry
  /** strength · alpha / rank. */
  readonly factor: number
}

/** By the name of the weight that is changed. */
export type LoraLayers = ReadonlyMap<string, readonly LoraLayer[]>
