/** The decoder half: latents to pixels. It also takes the last denoising step where it is told the latents' timestep. */

import type { BuiltGraph, GraphOptions } from '../../../networks/network.ts'
import { silu, Parameters } from '../../../networks/parameters.ts'
import type { Tensors } from '../../../networks/tensors.ts'
import { embedTimestep, timestepFeatureSize } from '../../../networks/timestep.ts'
import { graph, type Graph, type Value } from '../../../onnx/index.ts'
import { channelsAfter, type VaeBlock, type VaeConfig } from './config.ts'
import { framePlanes } from './frame-planes.ts'
import { convolution, depthToSpace, modulate, pixelNorm, resnet, type Modulation } from './layers.ts'

/** One of the noises that a decoder injects: `[H, W]` at this multiple of the latents' size. */
export interface NoiseInput {
  readonly name: string
  readonly scale: number
}

export interface BuiltDecoder extends BuiltGraph {
  /** In the order in which diffusers draws them. */
  readonly noises: readonly NoiseInput[]
}

/**
 * Inputs: `latents` `[1, C, f, h, w]`, denormalised; with timestep conditioning also `timestep_features` `[1, 256]`; with noise injection also
 * `noise.0`, `noise.1`, ... Output: `pixels` `[1, 3, 8(f-1)+1, 32h, 32w]`, about -1..1, not clamped; or, with inputs of their own, a video's planes
 * (see {@link framePlanes}).
 */
export function buildVaeDecoder(
  config: VaeConfig,
  tensors: Tensors,
  options: GraphOptions,
  end: 'pixels' | 'planes' = 'pixels',
): BuiltDecoder {
  const g = graph('vae_decoder')
  const p = new Parameters(g, tensors, options)
  const { causal, channels, blocks, timestepConditioning } = config.decoder
  const latents = g.input('latents', 'float32', [1, config.latentChannels, 'frames', 'height', 'width'])
  const features = timestepConditioning ? g.input('timestep_features', 'float32', [1, timestepFeatureSize]) : undefined
  const noises: NoiseInput[] = []
  let scale = 1
  let x = convolution(p, g.cast(latents, p.compute), 'decoder.conv_in.conv', config.latentChannels, channels, {
    causal,
  })
  for (const block of blocks) {
    if (block.kind === 'depth-to-space') scale *= block.stride[1]
    const drawAt = scale
    const noise = () => {
      const name = `noise.${noises.length}`
      noises.push({ name, scale: drawAt })
      return g.input(name, 'float32', [`height_${drawAt}`, `width_${drawAt}`])
    }
    x = decoderBlock(p, x, block, config, features, noise)
  }
  const last = channelsAfter(blocks, channels)
  x = pixelNorm(g, x)
  if (features) x = modulate(g, x, outputModulation(p, features, last))
  const patches = convolution(
    p,
    silu(g, x),
    'decoder.conv_out.conv',
    last,
    config.pictureChannels * config.patchSize ** 2,
    { causal },
  )
  const patch = [1, config.patchSize, config.patchSize] as const
  const wide = g.cast(patches, 'float32')
  if (end === 'planes') {
    framePlanes(g, pixelsOfFrames(g, wide, config))
  } else {
    const pixels = depthToSpace(g, wide, config.pictureChannels, patch, [0, 1, 5, 2, 6, 4, 7, 3])
    g.output('pixels', pixels, [1, config.pictureChannels, 'frames_out', 'height_out', 'width_out'])
  }
  return { graph: g, used: p.used, noises }
}

/** Channels become neighbours, as in the pixels, but frame by frame: `[1, C·patch², F, h, w]` to `[F, C, H, W]`. */
function pixelsOfFrames(g: Graph, x: Value, { pictureChannels, patchSize }: VaeConfig): Value {
  const [frames, rows, columns] = [2, 3, 4].map((axis) => g.sizeOf(x, axis))
  if (!frames || !rows || !columns) throw new Error('A video has three axes.')
  const apart = g.reshape(x, g.concat([g.int64s([pictureChannels, patchSize, patchSize]), frames, rows, columns], 0))
  const grown = [rows, columns].map((size) => g.mul(size, g.int64s([patchSize])))
  return g.reshape(g.transpose(apart, [3, 0, 4, 2, 5, 1]), g.concat([frames, g.int64s([pictureChannels]), ...grown], 0))
}

function decoderBlock(
  p: Parameters,
  x: Value,
  block: VaeBlock,
  config: VaeConfig,
  features: Value | undefined,
  noise: () => Value,
): Value {
  const { causal } = config.decoder
  const base = { causal, shortcutEpsilon: config.shortcutEpsilon }
  switch (block.kind) {
    case 'resnets': {
      const embedded =
        features && embedTimestep(p, features, `${block.name}.time_embedder.timestep_embedder`, 4 * block.channels)
      let hidden = x
      for (let layer = 0; layer < block.layers; layer++) {
        const name = `${block.name}.resnets.${layer}`
        const modulations = embedded && resnetModulations(p, embedded, name, block.channels)
        const options = { ...base, ...(modulations && { modulations }), ...(block.injectNoise && { noise }) }
        hidden = resnet(p, hidden, name, block.channels, block.channels, options)
      }
      return hidden
    }
    case 'resnet':
      return resnet(p, x, block.name, block.inputs, block.outputs, { ...base, ...(block.injectNoise && { noise }) })
    case 'depth-to-space':
      return upsample(p, x, block, causal)
    case 'strided':
    case 'space-to-depth':
      throw new Error('A decoder does not shrink.')
  }
}

/** A convolution whose channels become neighbours; the first of the new frames belongs to no picture and is dropped. */
function upsample(
  p: Parameters,
  x: Value,
  block: Extract<VaeBlock, { kind: 'depth-to-space' }>,
  causal: boolean,
): Value {
  const g = p.graph
  const { inputs, stride, residual, factor, name } = block
  const volume = stride[0] * stride[1] * stride[2]
  const outputs = inputs / factor
  const dropFirst = (value: Value) => (stride[0] > 1 ? g.slice(value, 2, stride[0] - 1) : value)
  const convolved = convolution(p, x, `${name}.conv.conv`, inputs, outputs * volume, { causal })
  const grown = dropFirst(depthToSpace(g, convolved, outputs, stride))
  if (!residual) return grown
  const repeated = g.tile(depthToSpace(g, x, inputs / volume, stride), [1, volume / factor, 1, 1, 1])
  return g.add(grown, dropFirst(repeated))
}

/** Rows: shift and scale before the first convolution, then before the second. */
function resnetModulations(
  p: Parameters,
  embedded: Value,
  name: string,
  channels: number,
): readonly [Modulation, Modulation] {
  const [shift1, scale1, shift2, scale2] = modulationRows(p, embedded, `${name}.scale_shift_table`, channels, 4)
  if (!shift1 || !scale1 || !shift2 || !scale2) throw new Error('A residual block has four rows.')
  return [
    { shift: shift1, scale: scale1 },
    { shift: shift2, scale: scale2 },
  ]
}

function outputModulation(p: Parameters, features: Value, channels: number): Modulation {
  const embedded = embedTimestep(p, features, 'decoder.time_embedder.timestep_embedder', 2 * channels)
  const [shift, scale] = modulationRows(p, embedded, 'decoder.scale_shift_table', channels, 2)
  if (!shift || !scale) throw new Error('The output has two rows.')
  return { shift, scale }
}

function modulationRows(p: Parameters, embedded: Value, table: string, channels: number, rows: number): Value[] {
  const g = p.graph
  const values = g.add(
    g.reshape(g.cast(embedded, 'float32'), [rows, channels]),
    p.tensor(table, [rows, channels], 'float32'),
  )
  const ones = Array.from({ length: rows }, () => 1)
  return g.split(g.cast(values, p.compute), 0, ones).map((row) => g.reshape(row, [1, channels, 1, 1, 1]))
}
