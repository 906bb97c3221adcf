/** Where noise comes from. The order of draws is part of the recipe: the same order and seed give torch's numbers. */

import { elementCount, float32Tensor, type Float32Tensor } from '../onnx/index.ts'
import { createGenerator } from './torch-random.ts'

export interface Draws {
  /** The next noise of the pipeline's own generator. */
  normal(shape: readonly number[]): Float32Tensor
  /** The next noise that the decoder injects: diffusers takes it from torch's global generator. */
  injected(shape: readonly number[]): Float32Tensor
}

/** Both generators start from the same seed, as after `torch.manual_seed(seed)` and `torch.Generator().manual_seed(seed)`. */
export function seededDraws(seed: number): Draws {
  const pipeline = createGenerator(seed)
  const injected = createGenerator(seed)
  return {
    normal: (shape) => float32Tensor(shape, pipeline.normal(elementCount(shape))),
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
  return { normal: next, injected: next }
}
