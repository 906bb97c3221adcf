/** A model's tensors by name, and the check that each has the shape its config promises. */

import { EngineError } from '../failure.ts'
import type { TensorEntry } from '../weights/index.ts'

export type Tensors = ReadonlyMap<string, TensorEntry>

/** @throws EngineError `weights_mismatch` */
export function tensorOf(tensors: Tensors, name: string, shape: readonly number[]): TensorEntry {
  const entry = tensors.get(name)
  if (entry === undefined) {
    throw new EngineError(
      'weights_mismatch',
      `The checkpoint has no tensor ${name}. Its config and its weights are of different models; download it again.`,
    )
  }
  if (entry.shape.length !== shape.length || entry.shape.some((size, axis) => size !== shape[axis])) {
    throw new EngineError(
      'weights_mismatch',
      `${name} in ${entry.file} has the shape [${entry.shape.join(', ')}], but the config says [${shape.join(', ')}]. Config and weights are of different models; download it again.`,
    )
  }
  return entry
}
