/** From latents to frames as a video stores them. The graph resizes, clips and converts each tile's pixels; here their parts are put together in whole numbers. */

import type { Draws } from '../../../flow/draws.ts'
import type { Frame } from '../../../media/frame.ts'
import { axisTaps, betweenPairs, everyPixel, leftOfPairs, type WeighedPixels } from '../../../media/plane-sampling.ts'
import { videoSizes, type Float32Tensor } from '../../../onnx/index.ts'
import { planDecoding, type DecodeNoise, type DecodeOptions, type DecodingModels } from './decoding.ts'
import { levelOffsets, partsPerLevel, type TileSampling } from './frame-planes.ts'
import { fadeWeights, type PixelSpan } from './tiles.ts'

/** A tile's part of the planes of its frames: see `framePlanes`. */
export interface TilePlanes {
  /** `[F, h, w]` */
  readonly luma: Int16Array
  /** `[F, 2, h/2, w/2]` */
  readonly chroma: Int16Array
}

/** A checkpoint's autoencoder, as far as decoding to frames needs it. */
export interface FrameDecoder extends DecodingModels {
  /**
   * @param latents `[1, C, f, h, w]`, denormalised
   * @param timestep 0..1, for decoders that are told
   * @param noises one `[h · scale, w · scale]` for each of `decoderNoises`
   */
  decodePlanes(
    latents: Float32Tensor,
    timestep: number,
    noises: readonly Float32Tensor[],
    sampling: TileSampling,
  ): Promise<TilePlanes>
}

export interface DecodeFramesOptions extends DecodeOptions {
  /** Pixels of the frames, even numbers: what the network makes is resized to it. */
  readonly width: number
  readonly height: number
}

/**
 * Yields the frames in order, as they are done, as yuv420p: BT.709, limited range. Draws: see {@link planDecoding}.
 * @param latents normalised `[1, C, F, h, w]`
 */
export async function* decodeFrames(
  models: FrameDecoder,
  latents: Float32Tensor,
  recipe: DecodeNoise,
  draws: Draws,
  options: DecodeFramesOptions,
): AsyncGenerator<Frame> {
  const { width, height } = options
  const { space } = models.checkpoint.vae.config.compression
  const { height: latentHeight, width: latentWidth } = videoSizes(latents)
  const decoding = planDecoding(models, latents, recipe, draws, options)
  const { times, rows, columns } = decoding
  const down = rows.map((_, index) => axis(latentHeight * space, height, betweenPairs, weighed(rows, index)))
  const across = columns.map((_, index) => axis(latentWidth * space, width, leftOfPairs, weighed(columns, index)))
  /** Frames that tiles still add to, by their number. */
  const open = new Map<number, FrameSum>()
  let done = 0
  for (const [timeIndex, time] of times.entries()) {
    for (const [rowIndex, row] of down.entries()) {
      for (const [columnIndex, column] of across.entries()) {
        await options.onTile?.(done++, times.length * rows.length * columns.length)
        const { latents: z, noises } = decoding.tile(timeIndex, rowIndex, columnIndex)
        const sampling: TileSampling = {
          luma: { rows: row.luma, columns: column.luma },
          chroma: { rows: row.chroma, columns: column.chroma },
          frames: fadeWeights(times, timeIndex),
        }
        const planes = await models.decodePlanes(z, recipe.decodeTimestep, noises, sampling)
        for (let frame = time.start; frame < time.end; frame++) {
          const sum = open.get(frame) ?? new FrameSum(width, height)
          open.set(frame, sum)
          sum.add(planes, frame - time.start, sampling)
        }
      }
    }
    for (let frame = time.start; frame < (times[timeIndex + 1]?.start ?? time.end); frame++) {
      const sum = open.get(frame)
      if (sum === undefined) throw new RangeError(`No tile made frame ${frame}.`)
      open.delete(frame)
      yield sum.frame()
    }
  }
}

function weighed(spans: readonly PixelSpan[], index: number): WeighedPixels {
  return { start: spans[index]?.start ?? 0, weights: fadeWeights(spans, index) }
}

function axis(source: number, frame: number, siting: typeof betweenPairs, pixels: WeighedPixels) {
  return {
    luma: axisTaps(source, frame, everyPixel, pixels),
    chroma: axisTaps(source, frame, siting, pixels),
  }
}

/** One frame while tiles add to it. */
class FrameSum {
  readonly #width: number
  readonly #height: number
  #luma: Int16Array | undefined
  #chroma: Int16Array | undefined

  constructor(width: number, height: number) {
    this.#width = width
    this.#height = height
  }

  /** Adds what a tile has of its `index`-th frame. */
  add({ luma, chroma }: TilePlanes, index: number, sampling: TileSampling): void {
    const [width, height] = [this.#width, this.#height]
    this.#luma = added(this.#luma, partOf(luma, index, 1, sampling.luma), { planes: 1, width, height }, sampling.luma)
    const halved = { planes: 2, width: width / 2, height: height / 2 }
    this.#chroma = added(this.#chroma, partOf(chroma, index, 2, sampling.chroma), halved, sampling.chroma)
  }

  /** The finished frame. */
  frame(): Frame {
    const [width, height] = [this.#width, this.#height]
    const data = new Uint8ClampedArray(width * height * 1.5)
    if (this.#luma === undefined || this.#chroma === undefined) throw new Error('No tile has added to this frame.')
    writeLevels(this.#luma, levelOffsets.luma, data, 0)
    writeLevels(this.#chroma, levelOffsets.chroma, data, width * height)
    return { width, height, data: new Uint8Array(data.buffer), format: 'yuv420p' }
  }
}

/** One frame's planes among those of a tile. */
function partOf(planes: Int16Array, index: number, count: number, { rows, columns }: TileSampling['luma']): Int16Array {
  const size = count * rows.samples * columns.samples
  return planes.subarray(index * size, (index + 1) * size)
}

/** What covers a frame that nothing was added to yet is taken as it is. */
function added(
  sum: Int16Array | undefined,
  part: Int16Array,
  frame: { planes: number; width: number; height: number },
  { rows, columns }: TileSampling['luma'],
): Int16Array {
  const { planes, width, height } = frame
  if (sum === undefined && part.length === planes * width * height) return part
  const total = sum ?? new Int16Array(planes * width * height)
  let from = 0
  for (let plane = 0; plane < planes; plane++) {
    for (let row = 0; row < rows.samples; row++) {
      const to = (plane * height + rows.first + row) * width + columns.first
      for (let column = 0; column < columns.samples; column++) total[to + column] = total[to + column]! + part[from++]!
    }
  }
  return total
}

function writeLevels(sums: Int16Array, offset: number, data: Uint8ClampedArray, start: number): void {
  const shift = Math.log2(partsPerLevel)
  const rounded = (offset + 0.5) * partsPerLevel
  for (let index = 0; index < sums.length; index++) data[start + index] = (sums[index]! + rounded) >> shift
}
