/** From latents to pixels, in tiles where the whole would not fit into memory. For comparisons: a job's frames never are pixels here (see decode-frames). */

import type { Draws } from '../../../flow/draws.ts'
import { float32Tensor, videoSizes, type Float32Tensor } from '../../../onnx/index.ts'
import type { VaeConfig } from './config.ts'
import { planDecoding, type DecodeNoise, type DecodeOptions, type Decoding, type DecodingModels } from './decoding.ts'
import { fadeWeights, type PixelSpan } from './tiles.ts'

/** A checkpoint's autoencoder, as far as decoding to pixels needs it. */
export interface PixelDecoder extends DecodingModels {
  /**
   * @param latents `[1, C, f, h, w]`, denormalised
   * @param timestep 0..1, for decoders that are told
   * @param noises one `[h · scale, w · scale]` for each of `decoderNoises`
   * @returns pixels `[1, 3, F, H, W]`, about -1..1
   */
  decodeLatents(latents: Float32Tensor, timestep: number, noises: readonly Float32Tensor[]): Promise<Float32Tensor>
}

/**
 * Yields pixels `[1, 3, f, H, W]`, about -1..1, some frames at a time, in order. Draws: see {@link planDecoding}.
 * @param latents normalised `[1, C, F, h, w]`
 */
export async function* decodeVideo(
  models: PixelDecoder,
  latents: Float32Tensor,
  recipe: DecodeNoise,
  draws: Draws,
  options: DecodeOptions = {},
): AsyncGenerator<Float32Tensor> {
  const decoding = planDecoding(models, latents, recipe, draws, options)
  const decode: DecodeTile = (time, row, column) => {
    const tile = decoding.tile(time, row, column)
    return models.decodeLatents(tile.latents, recipe.decodeTimestep, tile.noises)
  }
  yield* decodeTiles(decoding, models.checkpoint.vae.config, decode, options)
}

type DecodeTile = (time: number, row: number, column: number) => Promise<Float32Tensor>

async function* decodeTiles(
  { times, rows, columns }: Decoding,
  config: VaeConfig,
  decode: DecodeTile,
  options: DecodeOptions,
): AsyncGenerator<Float32Tensor> {
  const area = { height: rows.at(-1)!.end, width: columns.at(-1)!.end }
  const tiles = times.length * rows.length * columns.length
  let done = 0
  /** Frames that the next tile in time will still add to. */
  let waiting: Float32Tensor | undefined
  for (const [timeIndex, frames] of times.entries()) {
    const sum = float32Tensor([1, config.pictureChannels, frames.end - frames.start, area.height, area.width])
    for (const [rowIndex, row] of rows.entries()) {
      for (const [columnIndex, column] of columns.entries()) {
        await options.onTile?.(done++, tiles)
        const weights = { row: fadeWeights(rows, rowIndex), column: fadeWeights(columns, columnIndex) }
        addTile(sum, await decode(timeIndex, rowIndex, columnIndex), { row, column }, weights)
      }
    }
    if (times.length > 1) weighFrames(sum, fadeWeights(times, timeIndex))
    if (waiting !== undefined) addFrames(sum, waiting)
    const next = times[timeIndex + 1]
    const finished = (next?.start ?? frames.end) - frames.start
    yield framesOf(sum, 0, finished)
    waiting = next === undefined ? undefined : framesOf(sum, finished, frames.end - frames.start - finished)
  }
}

function addTile(
  sum: Float32Tensor,
  tile: Float32Tensor,
  place: { row: PixelSpan; column: PixelSpan },
  weights: { row: Float32Array; column: Float32Array },
): void {
  const { height, width } = videoSizes(sum)
  const { channels, frames, height: tileHeight, width: tileWidth } = videoSizes(tile)
  for (let plane = 0; plane < channels * frames; plane++) {
    for (let y = 0; y < tileHeight; y++) {
      const to = (plane * height + place.row.start + y) * width + place.column.start
      const from = (plane * tileHeight + y) * tileWidth
      const rowWeight = weights.row[y]!
      for (let x = 0; x < tileWidth; x++) {
        sum.data[to + x] = sum.data[to + x]! + tile.data[from + x]! * rowWeight * weights.column[x]!
      }
    }
  }
}

function weighFrames(pixels: Float32Tensor, weights: Float32Array): void {
  const { frames, height, width } = videoSizes(pixels)
  const area = height * width
  for (let index = 0; index < pixels.data.length; index++) {
    const weight = weights[Math.floor(index / area) % frames]!
    if (weight !== 1) pixels.data[index] = pixels.data[index]! * weight
  }
}

/** Adds `first` to the first frames of `pixels`. */
function addFrames(pixels: Float32Tensor, first: Float32Tensor): void {
  const { channels, frames, height, width } = videoSizes(pixels)
  const length = videoSizes(first).frames * height * width
  for (let channel = 0; channel < channels; channel++) {
    const to = channel * frames * height * width
    for (let index = 0; index < length; index++)
      pixels.data[to + index] = pixels.data[to + index]! + first.data[channel * length + index]!
  }
}

function framesOf(pixels: Float32Tensor, first: number, count: number): Float32Tensor {
  const { channels, frames, height, width } = videoSizes(pixels)
  if (first === 0 && count === frames) return pixels
  const area = height * width
  const taken = float32Tensor([1, channels, count, height, width])
  for (let channel = 0; channel < channels; channel++) {
    const start = (channel * frames + first) * area
    taken.data.set(pixels.data.subarray(start, start + count * area), channel * count * area)
  }
  return taken
}
