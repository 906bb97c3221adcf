/** What is decoded in one go of a video's latents: which tiles, and what each is decoded from. */

import type { Draws } from '../../../flow/draws.ts'
import { float32Tensor, matrixSizes, videoSizes, type Float32Tensor, type Provider } from '../../../onnx/index.ts'
import type { LatentSize } from '../coordinates.ts'
import { denormalizeLatents, interpolate, type LatentStatistics } from '../latents.ts'
import { channelsAfter, type VaeConfig } from './config.ts'
import type { NoiseInput } from './decoder.ts'
import { planTiles, type PixelSpan, type Span, type TilePlan } from './tiles.ts'

/** What has to be known of a checkpoint's autoencoder to plan its decoding. */
export interface DecodingModels {
  readonly checkpoint: { readonly vae: { readonly config: VaeConfig }; readonly latents: LatentStatistics }
  readonly provider: Provider
  /** The noises that the decoder injects, in the order they are drawn. */
  readonly decoderNoises: readonly NoiseInput[]
}

/** How noisy the decoder is told that its latents are, and how noisy they are made. Of use to decoders that are told. */
export interface DecodeNoise {
  /** 0..1. */
  readonly decodeTimestep: number
  /** 0..1: how much noise is mixed into the denormalised latents first. @default none, and none is drawn */
  readonly decodeNoise?: number
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

export interface Tile {
  readonly time: Span
  readonly row: Span
  readonly column: Span
}

/** A video's decoding, planned. */
export interface Decoding {
  /** The tiles' pixels along each axis. */
  readonly times: readonly PixelSpan[]
  readonly rows: readonly PixelSpan[]
  readonly columns: readonly PixelSpan[]
  /** What a tile is decoded from: denormalised latents, and the noises that the decoder injects. */
  tile(time: number, row: number, column: number): { latents: Float32Tensor; noises: readonly Float32Tensor[] }
}

/**
 * Draws: the noise mixed into the latents, then what the decoder injects.
 * @param latents normalised `[1, C, F, h, w]`
 */
export function planDecoding(
  models: DecodingModels,
  latents: Float32Tensor,
  recipe: DecodeNoise,
  draws: Draws,
  options: DecodeOptions,
): Decoding {
  const { vae, latents: statistics } = models.checkpoint
  const { time, space } = vae.config.compression
  const { frames, height, width } = videoSizes(latents)
  let z = denormalizeLatents(latents, statistics)
  if (vae.config.decoder.timestepConditioning && recipe.decodeNoise !== undefined)
    z = interpolate(z, draws.normal(z.shape), recipe.decodeNoise)
  const noises = models.decoderNoises.map(({ scale }) => draws.injected([height * scale, width * scale]))
  const memory = options.memory ?? (models.provider === 'cuda' ? 10 : 6) * gibibyte
  const plan = options.tiles ?? planTiles({ frames, height, width }, (tile) => decodeBytes(vae.config, tile), memory)
  const pixels = ({ start, length }: Span): PixelSpan => ({ start: start * space, end: (start + length) * space })
  return {
    times: plan.time.map(({ start, length }) => ({ start: start * time, end: (start + length - 1) * time + 1 })),
    rows: plan.rows.map(pixels),
    columns: plan.columns.map(pixels),
    tile(timeIndex, rowIndex, columnIndex) {
      const tile = {
        time: at(plan.time, timeIndex),
        row: at(plan.rows, rowIndex),
        column: at(plan.columns, columnIndex),
      }
      return { latents: cutLatents(z, tile), noises: cutNoises(noises, models.decoderNoises, tile) }
    },
  }
}

/** About what the decoder's largest layers take: six tensors of the last stage's size. */
export function decodeBytes(config: VaeConfig, tile: LatentSize): number {
  const { time, space } = config.compression
  const channels = channelsAfter(config.decoder.blocks, config.decoder.channels)
  const perFrame = ((tile.height * space) / config.patchSize) * ((tile.width * space) / config.patchSize)
  return 6 * 4 * channels * perFrame * ((tile.frames - 1) * time + 1)
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

function at(list: readonly Span[], index: number): Span {
  const span = list[index]
  if (span === undefined) throw new RangeError(`There is no tile ${index} among ${list.length}.`)
  return span
}
