/** From latents to pixels, in tiles where the whole would not fit into memory. */

import type { Draws } from '../../../flow/draws.ts'
import { float32Tensor, matrixSizes, videoSizes, type Float32Tensor, type Provider } from '../../../onnx/index.ts'
import type { LatentSize } from '../coordinates.ts'
import { denormalizeLatents, interpolate, type LatentStatistics } from '../latents.ts'
import { channelsAfter, type VaeConfig } from './config.ts'
import type { NoiseInput } from './decoder.ts'
import { fadeWeights, planTiles, type PixelSpan, type Span, type TilePlan } from './tiles.ts'

/** A checkpoint's autoencoder, as far as decoding needs it. */
export interface VideoDecoder {
  readonly checkpoint: { readonly vae: { readonly config: VaeConfig }; readonly latents: LatentStatistics }
  readonly provider: Provider
  /** The noises that the decoder injects, in the order they are drawn. */
  readonly decoderNoises: readonly NoiseInput[]
  /**
   * @param latents `[1, C, f, h, w]`, denormalised
   * @param timestep 0..1, for decoders that are told
   * @param noises one `[h · scale, w · scale]` for each of {@link decoderNoises}
   * @returns pixels `[1, 3, F, H, W]`, about -1..1
   */
  decodeLatents(latents: Float32Tensor, timestep: number, noises: readonly Float32Tensor[]): Promise<Float32Tensor>
}

/** How noisy the decoder is told that its latents are, and how noisy they are made. Of use to decoders that are told. */
export interface DecodeNoise {
  /** 0..1. */
  readonly decodeTimestep: number
  /** 0..1: how much noise is mixed into the latents first. */
  readonly decodeNoise: number
}

export interface DecodeOptions {
  /** Bytes that the decoder's activations may take at once. @default 6 GiB on CPU, 10 GiB on CUDA */
  readonly memory?: number
  /** Tiles to use instead of planned ones. */
  readonly tiles?: TilePlan
  /** Waited for before each tile; may throw to stop. */
  readonly onTile?: (tile: number, tiles: number) => void | Promise<void>
}

const gibibyte = 2 ** 30

/**
 * Yields pixels `[1, 3, f, H, W]`, about -1..1, some frames at a time, in order. Draws: the noise mixed into the latents, then what the decoder injects.
 * @param latents normalised `[1, C, F, h, w]`
 */
export async function* decodeVideo(
  models: VideoDecoder,
  latents: Float32Tensor,
  recipe: DecodeNoise,
  draws: Draws,
  options: DecodeOptions = {},
): AsyncGenerator<Float32Tensor> {
  const { vae, latents: statistics } = models.checkpoint
  const size = sizeOf(latents)
  let z = denormalizeLatents(latents, statistics)
  if (vae.config.decoder.timestepConditioning) z = interpolate(z, draws.normal(z.shape), recipe.decodeNoise)
  const noises = models.decoderNoises.map(({ scale }) => draws.injected([size.height * scale, size.width * scale]))
  const memory = options.memory ?? (models.provider === 'cuda' ? 10 : 6) * gibibyte
  const plan = options.tiles ?? planTiles(size, (tile) => decodeBytes(vae.config, tile), memory)
  yield* decodeTiles(
    plan,
    vae.config,
    (tile) =>
      models.decodeLatents(cutLatents(z, tile), recipe.decodeTimestep, cutNoises(noises, models.decoderNoises, tile)),
    options,
  )
}

/** About what the decoder's largest layers take: six tensors of the last stage's size. */
export function decodeBytes(config: VaeConfig, tile: LatentSize): number {
  const { time, space } = config.compression
  const channels = channelsAfter(config.decoder.blocks, config.decoder.channels)
  const perFrame = ((tile.height * space) / config.patchSize) * ((tile.width * space) / config.patchSize)
  return 6 * 4 * channels * perFrame * ((tile.frames - 1) * time + 1)
}

interface Tile {
  readonly time: Span
  readonly row: Span
  readonly column: Span
}

async function* decodeTiles(
  plan: TilePlan,
  config: VaeConfig,
  decode: (tile: Tile) => Promise<Float32Tensor>,
  options: DecodeOptions,
): AsyncGenerator<Float32Tensor> {
  const { time, space } = config.compression
  const times = plan.time.map(({ start, length }): PixelSpan => ({
    start: start * time,
    end: (start + length - 1) * time + 1,
  }))
  const rows = plan.rows.map(({ start, length }): PixelSpan => ({
    start: start * space,
    end: (start + length) * space,
  }))
  const columns = plan.columns.map(({ start, length }): PixelSpan => ({
    start: start * space,
    end: (start + length) * space,
  }))
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
        const tile = {
          time: at(plan.time, timeIndex),
          row: at(plan.rows, rowIndex),
          column: at(plan.columns, columnIndex),
        }
        const weights = { row: fadeWeights(rows, rowIndex), column: fadeWeights(columns, columnIndex) }
        addTile(sum, await decode(tile), { row, column }, weights)
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

function cutLatents(latents: Float32Tensor, { time, row, column }: Tile): Float32Tensor {
  const { channels, frames, height, width } = videoSizes(latents)
  if (time.length === frames && row.length === height && column.length === width) return latents
  const cut = float32Tensor([1, channels, time.length, row.length, column.length])
  let place = 0
  for (let channel = 0; channel < channels; channel++) {
    for (let frame = time.start; frame < time.start + time.length; frame++) {
      for (let y = row.start; y < row.start + row.length; y++) {
        const start = ((channel * frames + frame) * height + y) * width + column.start
        cut.data.set(latents.data.subarray(start, start + column.length), place)
        place += column.length
      }
    }
  }
  return cut
}

function cutNoises(
  noises: readonly Float32Tensor[],
  inputs: readonly { scale: number }[],
  { row, column }: Tile,
): Float32Tensor[] {
  return noises.map((noise, index) => {
    const { scale } = inputs[index]!
    const [, width] = matrixSizes(noise)
    const cut = float32Tensor([row.length * scale, column.length * scale])
    for (let y = 0; y < row.length * scale; y++) {
      const start = (row.start * scale + y) * width + column.start * scale
      cut.data.set(noise.data.subarray(start, start + column.length * scale), y * column.length * scale)
    }
    return cut
  })
}

function sizeOf(latents: Float32Tensor): LatentSize {
  const { frames, height, width } = videoSizes(latents)
  return { frames, height, width }
}

function at(list: readonly Span[], index: number): Span {
  const span = list[index]
  if (span === undefined) throw new RangeError(`There is no tile ${index} among ${list.length}.`)
  return span
}
