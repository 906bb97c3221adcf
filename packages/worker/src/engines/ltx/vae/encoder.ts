/** The encoder half: pixels to the mean and log variance of latents. */

import type { BuiltGraph, GraphOptions } from '../../../networks/network.ts'
import { silu, Parameters } from '../../../networks/parameters.ts'
import type { Tensors } from '../../../networks/tensors.ts'
import { graph, type Value } from '../../../onnx/index.ts'
import { channelsAfter, type VaeBlock, type VaeConfig } from './config.ts'
import { convolution, pixelNorm, resnet, spaceToDepth } from './layers.ts'

/**
 * Input: `pixels` `[1, 3, F, H, W]` in -1..1, F = 8k + 1. Outputs: `mean` `[1, C, f, h, w]` and `logvar` `[1, 1, f, h, w]`, one for all channels, unclamped.
 */
export function buildVaeEncoder(config: VaeConfig, tensors: Tensors, options: GraphOptions): BuiltGraph {
  const g = graph('vae_encoder')
  const p = new Parameters(g, tensors, options)
  const { causal, channels, blocks } = config.encoder
  const patch = [1, config.patchSize, config.patchSize] as const
  const pixels = g.input('pixels', 'float32', [1, config.pictureChannels, 'frames', 'height', 'width'])
  // Within a patch, columns come before rows: the order the authors trained with.
  const patches = spaceToDepth(g, g.cast(pixels, p.compute), config.pictureChannels, patch, [0, 1, 3, 7, 5, 2, 4, 6])
  let x = convolution(p, patches, 'encoder.conv_in.conv', config.pictureChannels * config.patchSize ** 2, channels, {
    causal,
  })
  for (const block of blocks) x = encoderBlock(p, x, block, config)
  const last = channelsAfter(blocks, channels)
  const moments = convolution(p, silu(g, pixelNorm(g, x)), 'encoder.conv_out.conv', last, config.latentChannels + 1, {
    causal,
  })
  const latent = ['frames_out', 'height_out', 'width_out']
  g.output('mean', g.cast(g.slice(moments, 1, 0, config.latentChannels), 'float32'), [
    1,
    config.latentChannels,
    ...latent,
  ])
  g.output('logvar', g.cast(g.slice(moments, 1, config.latentChannels), 'float32'), [1, 1, ...latent])
  return { graph: g, used: p.used }
}

function encoderBlock(p: Parameters, x: Value, block: VaeBlock, config: VaeConfig): Value {
  const { causal } = config.encoder
  const options = { causal, shortcutEpsilon: config.shortcutEpsilon }
  switch (block.kind) {
    case 'resnets': {
      let hidden = x
      for (let layer = 0; layer < block.layers; layer++) {
        hidden = resnet(p, hidden, `${block.name}.resnets.${layer}`, block.channels, block.channels, options)
      }
      return hidden
    }
    case 'resnet':
      return resnet(p, x, block.name, block.inputs, block.outputs, options)
    case 'strided':
      return convolution(p, x, `${block.name}.conv`, block.inputs, block.outputs, { causal, stride: block.stride })
    case 'space-to-depth':
      return downsample(p, x, block, causal)
    case 'depth-to-space':
      throw new Error('An encoder does not grow.')
  }
}

/** A convolution and the mean over groups of channels, both after neighbours have become channels. */
function downsample(
  p: Parameters,
  x: Value,
  block: Extract<VaeBlock, { kind: 'space-to-depth' }>,
  causal: boolean,
): Value {
  const g = p.graph
  const { inputs, outputs, stride, name } = block
  const volume = stride[0] * stride[1] * stride[2]
  const extended = g.concat([...Array.from({ length: stride[0] - 1 }, () => g.slice(x, 2, 0, 1)), x], 2)
  const residual = spaceToDepth(g, extended, inputs, stride)
  const groups = g.concat(
    [g.int64s([1, outputs, (inputs * volume) / outputs]), ...[2, 3, 4].map((axis) => g.sizeOf(residual, axis))],
    0,
  )
  const mean = g.cast(g.reduceMean(g.cast(g.reshape(residual, groups), 'float32'), [2], false), x.dtype)
  const convolved = convolution(p, extended, `${name}.conv.conv`, inputs, outputs / volume, { causal })
  return g.add(spaceToDepth(g, convolved, outputs / volume, stride), mean)
}
