import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seededDraws } from '../../../flow/draws.ts'
import { createGenerator } from '../../../flow/torch-random.ts'
import { blueDifferenceOf, lumaOf, redDifferenceOf } from '../../../media/frame-colour.ts'
import type { Frame } from '../../../media/frame.ts'
import {
  elementCount,
  float32Tensor,
  graph,
  int16Output,
  openSession,
  videoSizes,
  type Float32Tensor,
} from '../../../onnx/index.ts'
import { openCheckpoint } from '../ltx-video/checkpoint.ts'
import { createModels, type LtxModels } from '../ltx-video/models.ts'
import { resizePixels } from '../picture.ts'
import type { VaeConfig } from './config.ts'
import { decodeFrames, type FrameDecoder } from './decode-frames.ts'
import { decodeVideo, type PixelDecoder } from './decode-video.ts'
import { framePlanes, samplingInputs } from './frame-planes.ts'
import { spans, wholeTile, type TilePlan } from './tiles.ts'

const fixtures = fileURLToPath(new URL('../../../../test/fixtures/ltx', import.meta.url))
const size = { frames: 3, height: 4, width: 3 }
const recipe = { decodeTimestep: 0.05, decodeNoise: 0.025 }

/** What the graph does with pixels, in plain loops over floats: clip, resize, convert, round. */
function plainFrames(pixels: Float32Tensor, width: number, height: number): Uint8Array[] {
  const clipped = { ...pixels, data: pixels.data.map((value) => Math.min(1, Math.max(-1, value))) }
  const resized = resizePixels(clipped, width, height)
  const { frames } = videoSizes(resized)
  const area = width * height
  return Array.from({ length: frames }, (_, frame) => {
    const at = (channel: number, x: number, y: number) =>
      (resized.data[((channel * frames + frame) * height + y) * width + Math.max(0, x)]! / 2 + 0.5) * 255
    const difference = (of: typeof lumaOf, x: number, y: number) => {
      let sum = 0
      for (const [column, share] of [
        [x - 1, 0.25],
        [x, 0.5],
        [x + 1, 0.25],
      ] as const) {
        for (const row of [y, y + 1])
          sum += (share / 2) * of(at(0, column, row), at(1, column, row), at(2, column, row))
      }
      return Math.round(sum)
    }
    const data = new Uint8Array(area * 1.5)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) data[y * width + x] = Math.round(lumaOf(at(0, x, y), at(1, x, y), at(2, x, y)))
    for (let y = 0; y < height; y += 2) {
      for (let x = 0; x < width; x += 2) {
        const place = area + (y / 2) * (width / 2) + x / 2
        data[place] = difference(blueDifferenceOf, x, y)
        data[place + area / 4] = difference(redDifferenceOf, x, y)
      }
    }
    return data
  })
}

/** Levels between two videos: the largest, and the part of all samples that differ. */
function differences(frames: readonly Frame[], expected: readonly Uint8Array[]) {
  let [largest, differing, samples] = [0, 0, 0]
  for (const [index, { data }] of frames.entries()) {
    for (const [place, level] of data.entries()) {
      const difference = Math.abs(level - expected[index]![place]!)
      largest = Math.max(largest, difference)
      if (difference > 0) differing++
    }
    samples += data.length
  }
  return { largest, differing: differing / samples }
}

/** The second injects noise at each layer, and its decoder is told how noisy its latents are. */
describe.each<{ name: string; sizes: (readonly [string, number, number])[] }>([
  { name: 'v095', sizes: [['as large as decoded', 96, 128]] },
  {
    name: 'v091',
    sizes: [
      ['smaller', 74, 98],
      ['larger', 100, 134],
    ],
  },
])('frames of the $name checkpoint', ({ name, sizes }) => {
  let models: LtxModels
  let latents: Float32Tensor
  beforeAll(async () => {
    models = await createModels(await openCheckpoint({ path: join(fixtures, name, 'checkpoint') }), {
      keepLoaded: true,
    })
    latents = noise([1, models.checkpoint.vae.config.latentChannels, size.frames, size.height, size.width])
  })
  afterAll(() => models.close())

  test.each(sizes)(
    '%s, they are what plain loops over the pixels give, but for a level in one sample of a hundred',
    async (_, width, height) => {
      const tiles = wholeTile(size)
      const made = await frames(models, latents, tiles, width, height)
      expect(made.map((frame) => [frame.width, frame.height, frame.format, frame.data.length])).toEqual(
        Array.from({ length: 17 }, () => [width, height, 'yuv420p', width * height * 1.5]),
      )
      const { largest, differing } = differences(made, await plain(models, latents, tiles, width, height))
      expect(largest).toBeLessThanOrEqual(1)
      expect(differing).toBeLessThan(0.01)
    },
  )
})

describe('in tiles of time and space', () => {
  const tiles = { time: spans(3, 2, 1), rows: spans(4, 3, 1), columns: spans(3, 2, 1) }
  let decoder: PixelDecoder & FrameDecoder & { close(): Promise<void> }
  beforeAll(async () => (decoder = await blockDecoder()))
  afterAll(() => decoder.close())

  test.each([
    ['as large as decoded', 96, 128],
    ['smaller', 74, 98],
    ['larger', 100, 134],
  ])('%s, nothing is lost or counted twice: rounding shows in three samples of a hundred', async (_, width, height) => {
    const latents = noise([1, 3, size.frames, size.height, size.width])
    const made = await frames(decoder, latents, tiles, width, height)
    const { largest, differing } = differences(made, await plain(decoder, latents, tiles, width, height))
    expect(largest).toBeLessThanOrEqual(1)
    expect(differing).toBeLessThan(0.03)
  })
})

function noise(shape: readonly number[]): Float32Tensor {
  return float32Tensor(shape, createGenerator(3).normal(elementCount(shape)))
}

async function frames(decoder: FrameDecoder, latents: Float32Tensor, tiles: TilePlan, width: number, height: number) {
  const all: Frame[] = []
  for await (const frame of decodeFrames(decoder, latents, recipe, seededDraws(1), { width, height, tiles }))
    all.push(frame)
  return all
}

async function plain(decoder: PixelDecoder, latents: Float32Tensor, tiles: TilePlan, width: number, height: number) {
  const all: Uint8Array[] = []
  for await (const chunk of decodeVideo(decoder, latents, recipe, seededDraws(1), { tiles }))
    all.push(...plainFrames(chunk, width, height))
  return all
}

/**
 * A decoder that makes a block of one colour of each latent; the colour also depends on the tile, so that it matters how tiles are faded into each other.
 * Within -1..1: real ones clip each tile, and plain loops what tiles were faded into.
 */
async function blockDecoder(): Promise<PixelDecoder & FrameDecoder & { close(): Promise<void> }> {
  const g = graph('planes')
  framePlanes(g, g.input('pixels', 'float32', ['frames', 3, 'height', 'width']))
  const session = await openSession(g.encode())
  let tile = 0
  const blocks = (latents: Float32Tensor, framesFirst: boolean): Float32Tensor => {
    const { frames, height, width } = videoSizes(latents)
    const [length, rows, columns] = [(frames - 1) * 8 + 1, height * 32, width * 32]
    const shape = framesFirst ? [length, 3, rows, columns] : [1, 3, length, rows, columns]
    const pixels = float32Tensor(shape)
    tile = (tile + 1) % 8
    for (let place = 0; place < pixels.data.length; place++) {
      const plane = Math.floor(place / (rows * columns))
      const [channel, frame] = framesFirst
        ? [plane % 3, Math.floor(plane / 3)]
        : [Math.floor(plane / length), plane % length]
      const [row, column] = [Math.floor(place / columns) % rows, place % columns]
      const latent = ((channel * frames + Math.ceil(frame / 8)) * height + (row >> 5)) * width + (column >> 5)
      pixels.data[place] = Math.tanh(latents.data[latent]! + tile / 4)
    }
    return pixels
  }
  return {
    checkpoint: {
      vae: { config },
      latents: { mean: new Float32Array(3), std: new Float32Array(3).fill(1), scalingFactor: 1 },
    },
    provider: 'cpu',
    decoderNoises: [],
    decodeLatents: async (latents) => blocks(latents, false),
    async decodePlanes(latents, _timestep, _noises, sampling) {
      const outputs = await session.run({ pixels: blocks(latents, true), ...samplingInputs(sampling) })
      return { luma: int16Output(outputs, 'luma').data, chroma: int16Output(outputs, 'chroma').data }
    },
    close: () => session.close(),
  }
}

const config: VaeConfig = {
  pictureChannels: 3,
  latentChannels: 3,
  patchSize: 4,
  shortcutEpsilon: 1e-6,
  scalingFactor: 1,
  compression: { time: 8, space: 32 },
  encoder: { causal: true, channels: 1, blocks: [] },
  decoder: { causal: false, channels: 1, blocks: [], timestepConditioning: false },
}
