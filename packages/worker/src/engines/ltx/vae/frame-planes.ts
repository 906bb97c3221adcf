/** The end of the decoder's graph: pixels to what a video stores of them, so that no float of a frame passes through JavaScript. */

import { betweenPairs, everyPixel, leftOfPairs, tapCount, type AxisTaps } from '../../../media/plane-sampling.ts'
import { chroma, lumaShares } from '../../../media/frame-colour.ts'
import { float32Tensor, type Graph, type Tensor, type Value } from '../../../onnx/index.ts'

/** Sums of a frame's samples are kept as so many parts of a level, in 16 bits: what several tiles add to one sample is rounded for each of them. */
export const partsPerLevel = 256

/** Levels of BT.709 in limited range, from what -1 and 1 are to each other. */
const lumaRange = 219 / 2
const chromaRange = 224 / 2

/** What is added to a plane's sums to make levels of them: pixels of 0 are grey. */
export const levelOffsets = { luma: 16 + lumaRange, chroma: 128 } as const

/** Where a tile's pixels go, for the two planes along both axes, and how much each of its frames counts. */
export interface TileSampling {
  readonly luma: { readonly rows: AxisTaps; readonly columns: AxisTaps }
  readonly chroma: { readonly rows: AxisTaps; readonly columns: AxisTaps }
  readonly frames: Float32Array
}

/** The inputs that {@link framePlanes} declares. */
export function samplingInputs({ luma, chroma: differences, frames }: TileSampling): Record<string, Tensor> {
  const axis = (name: string, { index, weights, samples }: AxisTaps): Record<string, Tensor> => {
    const shape = [index.length / samples, samples]
    return {
      [`${name}.index`]: { dtype: 'int64', shape, data: index },
      [`${name}.weights`]: float32Tensor(shape, weights),
    }
  }
  return {
    ...axis('luma.rows', luma.rows),
    ...axis('luma.columns', luma.columns),
    ...axis('chroma.rows', differences.rows),
    ...axis('chroma.columns', differences.columns),
    'frames.weights': float32Tensor([frames.length], frames),
  }
}

/**
 * Pixels `[F, 3, H, W]`, about -1..1, to outputs `luma` `[F, h, w]` and `chroma` `[F, 2, h/2, w/2]` (Cb, Cr), int16: weighed, clipped, in colours of
 * BT.709, resized, and in {@link partsPerLevel} of a level around {@link levelOffsets}. Only multiplications and sums of float32: products by matrices
 * would be rounded to TF32 on CUDA.
 */
export function framePlanes(g: Graph, pixels: Value): void {
  const colours = g.split(g.clip(pixels, -1, 1), 1, [1, 1, 1])
  const [red, green, blue] = colours
  if (!red || !green || !blue) throw new Error('A pixel has three colours.')
  const times = (value: Value, factor: number) => g.mul(value, g.scalar('float32', factor))
  const brightness = g.add(
    g.add(times(red, lumaShares.red), times(green, lumaShares.green)),
    times(blue, lumaShares.blue),
  )
  const differences = g.concat(
    [
      times(g.sub(blue, brightness), chromaRange / chroma.blue),
      times(g.sub(red, brightness), chromaRange / chroma.red),
    ],
    1,
  )
  const frames = g.reshape(g.input('frames.weights', 'float32', ['frames_out']), [-1, 1, 1, 1])
  const plane = (name: 'luma' | 'chroma', value: Value, rows: number, columns: number) => {
    const lines = sampled(g, value, 2, `${name}.rows`, rows)
    const samples = g.mul(sampled(g, lines, 3, `${name}.columns`, columns), frames)
    return g.cast(g.op('Round', [times(samples, partsPerLevel)]), 'int16')
  }
  const luma = plane('luma', times(brightness, lumaRange), tapCount(everyPixel), tapCount(everyPixel))
  const halved = plane('chroma', differences, tapCount(betweenPairs), tapCount(leftOfPairs))
  g.output('luma', luma, ['frames_out', 1, 'luma_height', 'luma_width'])
  g.output('chroma', halved, ['frames_out', 2, 'chroma_height', 'chroma_width'])
}

/** Sums of pixels along one axis: see `AxisTaps`. */
function sampled(g: Graph, x: Value, axis: 2 | 3, name: string, taps: number): Value {
  const ones = Array.from({ length: taps }, () => 1)
  const samples = `${name}.samples`
  const indices = g.split(g.input(`${name}.index`, 'int64', [taps, samples]), 0, ones)
  const weights = g.split(g.input(`${name}.weights`, 'float32', [taps, samples]), 0, ones)
  const parts = indices.map((index, tap) =>
    g.mul(g.gather(x, g.reshape(index, [-1]), axis), g.reshape(weights[tap]!, axis === 2 ? [-1, 1] : [-1])),
  )
  return parts.reduce((sum, part) => g.add(sum, part))
}
