/** The ONNX graph that looks at the picture from a pose. */

import {
  float32Tensor,
  graph,
  int64Tensor,
  openSession,
  type EncodedGraph,
  type Float32Tensor,
} from '../../onnx/index.ts'
import type { Size } from '../../media/cover.ts'

/**
 * picture `[1, 3, h, w]` (samples plus 0.5), features `[H * W, 5]`, matrix `[5, 2]`, grid_shape `[4]` → frame `[1, H, W, 3]`, bytes.
 *
 * The picture comes with 0.5 added to every sample, and the weights of a linear interpolation sum to 1: cutting off the fraction in the Cast
 * then rounds to the nearest, without a pass of its own.
 */
export function cameraGraph(): EncodedGraph {
  const g = graph('camera')
  const picture = g.input('picture', 'float32', [1, 3, 'h', 'w'])
  const features = g.input('features', 'float32', ['pixels', 5])
  const matrix = g.input('matrix', 'float32', [5, 2])
  const gridShape = g.input('grid_shape', 'int64', [4])
  const grid = g.reshape(g.matMul(features, matrix), gridShape)
  const samples = g.gridSample(picture, grid, { mode: 'linear', padding: 'border' })
  g.output('frame', g.transpose(g.cast(samples, 'uint8'), [0, 2, 3, 1]), [1, 'H', 'W', 3])
  return g.encode()
}

export interface Sampler {
  /** @returns `height * width * 3` bytes */
  sample(picture: Float32Tensor, features: Float32Tensor, matrix: Float32Array, frame: Size): Promise<Uint8Array>
  close(): Promise<void>
}

export async function openSampler(options: { threads?: number } = {}): Promise<Sampler> {
  // The arena spares the pages of each frame's buffers being mapped anew.
  const session = await openSession(cameraGraph(), { arena: true, ...options })
  return {
    async sample(picture, features, matrix, frame) {
      const { frame: result } = await session.run({
        picture,
        features,
        matrix: float32Tensor([5, 2], matrix),
        grid_shape: int64Tensor([4], [1, frame.height, frame.width, 2]),
      })
      if (result?.dtype !== 'uint8') throw new TypeError('The camera graph gave no bytes.')
      return result.data
    },
    close: () => session.close(),
  }
}
