/** Where noise comes from. The order of draws is part of the recipe: the same order and seed give torch's numbers. */

import { elementCount, float32Tensor, type Float32Tensor } from '../onnx/index.ts'
import { createGenerator, type ElementRange } from './torch-random.ts'

export interface Draws {
  /** The next noise of the pipeline's own generator. */
  normal(shape: readonly number[]): Float32Tensor
  /**
   * The same, where only parts of it are needed: its elements from `start` to `end - 1`, for each.
   * @param parts in ascending order
   */
  normalParts(shape: readonly number[], parts: readonly ElementRange[]): Float32Array[]
  /** The next noise that the decoder injects: diffusers takes it from torch's global generator. */
  injected(shape: readonly number[]): Float32Tensor
}

/** Both generators start from the same seed, as after `torch.manual_seed(seed)` and `torch.Generator().manual_seed(seed)`. */
export function seededDraws(seed: number): Draws {
  const pipeline = createGenerator(seed)
  const injected = createGenerator(seed)
  return {
    normal: (shape) => float32Tensor(shape, pipeline.normal(elementCount(shape))),
    normalParts: (shape, parts) => pipeline.normalParts(elementCount(shape), parts),
    injected: (shape) => float32Tensor(shape, injected.normal(elementCount(shape))),
  }
}

/**
 * Gives recorded draws, in order.
 * @throws Error where the recipe asks for another shape than the one that was recorded, or for more
 */
export function recordedDraws(recorded: readonly Float32Tensor[]): Draws {
  let index = 0
  const next = (shape: readonly number[]): Float32Tensor => {
    const draw = recorded[index]
    if (draw === undefined || draw.shape.join() !== shape.join()) {
      throw new Error(
        `Draw ${index} is of shape [${draw?.shape.join(', ') ?? 'nothing'}], but the recipe asks for [${shape.join(', ')}].`,
      )
    }
    index++
    return draw
  }
  return {
    normal: next,
    normalParts: (shape, parts) => {
      const { data } = next(shape)
      return parts.map(({ start, end }) => data.subarray(start, end))
    },
    injected: next,
  }
}
