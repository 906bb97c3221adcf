/** The ONNX graph that looks at the picture from a pose. */

import {
  float32Tensor,
  graph,
  int64Tensor,
  openSession,
  type EncodedGraph,
  type Float32Tensor,
} from '../../onnx/index.ts'
import type { Size } from '../../media/crop.ts'
import { chroma, luma, sampleFeatures } from './grid.ts'
import type { Planes } from './working-picture.ts'

/**
 * luma `[1, 1, h, w]` and chroma `[1, 2, h', w']` of the picture, features of their samples `[H * W, 5]` and `[H/2 * W/2, 5]`, matrix `[5, 2]`
 * → frame `[1.5 * H * W]`, bytes, as yuv420p stores them.
 *
 * The planes come with 0.5 added to every sample, and the weights of a linear interpolation sum to 1: cutting off the fraction in the Cast
 * then rounds to the nearest, without a pass of its own.
 */
export function cameraGraph(): EncodedGraph {
  const g = graph('camera')
  const matrix = g.input('matrix', 'float32', [5, 2])
  const [y, cbcr] = (['luma', 'chroma'] as const).map((name) => {
    const plane = g.input(name, 'float32', [1, name === 'luma' ? 1 : 2, `${name}_h`, `${name}_w`])
    const features = g.input(`${name}_features`, 'float32', [`${name}_samples`, 5])
    const shape = g.input(`${name}_grid_shape`, 'int64', [4])
    const grid = g.reshape(g.matMul(features, matrix), shape)
    const samples = g.gridSample(plane, grid, { mode: 'linear', padding: 'border' })
    return g.reshape(g.cast(samples, 'uint8'), [-1])
  })
  if (y !== undefined && cbcr !== undefined) g.output('frame', g.concat([y, cbcr], 0), ['bytes'])
  return g.encode()
}

export interface Sampler {
  /** Looks at one picture for frames of one size. */
  prepare(planes: Planes, frame: Size): (matrix: Float32Array) => Promise<Uint8Array>
  close(): Promise<void>
}

export async function openSampler(threads: number): Promise<Sampler> {
  // The arena spares the pages of each frame's buffers being mapped anew.
  const session = await openSession(cameraGraph(), { arena: true, threads })
  return {
    prepare(planes, frame) {
      const fixed: Record<string, Float32Tensor | ReturnType<typeof int64Tensor>> = {
        luma: planes.luma,
        chroma: planes.chroma,
        luma_features: sampleFeatures(frame, luma),
        chroma_features: sampleFeatures(frame, chroma),
        luma_grid_shape: int64Tensor([4], [1, frame.height, frame.width, 2]),
        chroma_grid_shape: int64Tensor([4], [1, frame.height / 2, frame.width / 2, 2]),
      }
      return async (matrix) => {
        const { frame: result } = await session.run({ ...fixed, matrix: float32Tensor([5, 2], matrix) })
        if (result?.dtype !== 'uint8') throw new TypeError('The camera graph gave no bytes.')
        return result.data
      }
    },
    close: () => session.close(),
  }
}
