/** Doubles the size of latents between the two passes of the multi-scale recipe. (diffusers: `pipelines/ltx/modeling_latent_upsampler.py`) */

import { groupNorm } from '../../../networks/group-norm.ts'
import type { BuiltGraph, GraphOptions } from '../../../networks/network.ts'
import { silu, Parameters } from '../../../networks/parameters.ts'
import type { Tensors } from '../../../networks/tensors.ts'
import { graph, type Value } from '../../../onnx/index.ts'
import { depthToSpace } from './layers.ts'

export interface LatentUpsamplerConfig {
  readonly latentChannels: number
  readonly middleChannels: number
  readonly blocksPerStage: number
}

const groups = 32
const epsilon = 1e-5

/** Input: `latents` `[1, C, f, h, w]`, denormalised. Output: `upsampled` `[1, C, f, 2h, 2w]`. */
export function buildLatentUpsampler(
  config: LatentUpsamplerConfig,
  tensors: Tensors,
  options: GraphOptions,
): BuiltGraph {
  const g = graph('latent_upsampler')
  const p = new Parameters(g, tensors, options)
  const { latentChannels, middleChannels: middle, blocksPerStage } = config
  const latents = g.input('latents', 'float32', [1, latentChannels, 'frames', 'height', 'width'])
  const first = convolution(p, g.cast(latents, p.compute), 'initial_conv', latentChannels, middle)
  let x = silu(g, groupNorm(p, first, 'initial_norm', middle, groups, epsilon))
  for (let index = 0; index < blocksPerStage; index++) x = residualBlock(p, x, `res_blocks.${index}`, middle)
  x = doubled(p, x, middle)
  for (let index = 0; index < blocksPerStage; index++)
    x = residualBlock(p, x, `post_upsample_res_blocks.${index}`, middle)
  const upsampled = convolution(p, x, 'final_conv', middle, latentChannels)
  g.output('upsampled', g.cast(upsampled, 'float32'), [1, latentChannels, 'frames', 'height_out', 'width_out'])
  return { graph: g, used: p.used }
}

function residualBlock(p: Parameters, x: Value, name: string, channels: number): Value {
  const g = p.graph
  const hidden = silu(
    g,
    groupNorm(p, convolution(p, x, `${name}.conv1`, channels, channels), `${name}.norm1`, channels, groups, epsilon),
  )
  const second = groupNorm(
    p,
    convolution(p, hidden, `${name}.conv2`, channels, channels),
    `${name}.norm2`,
    channels,
    groups,
    epsilon,
  )
  return silu(g, g.add(second, x))
}

function convolution(p: Parameters, x: Value, name: string, inputs: number, outputs: number): Value {
  const weight = p.tensor(`${name}.weight`, [outputs, inputs, 3, 3, 3])
  return p.graph.conv(x, weight, p.tensor(`${name}.bias`, [outputs]), { pads: [1, 1, 1, 1, 1, 1] })
}

/** Every frame by itself: a convolution to four times the channels, which become the neighbours. A kernel of one frame is a 2-D convolution. */
function doubled(p: Parameters, x: Value, channels: number): Value {
  const g = p.graph
  const weight = g.reshape(p.tensor('upsampler.0.weight', [4 * channels, channels, 3, 3]), [
    4 * channels,
    channels,
    1,
    3,
    3,
  ])
  const convolved = g.conv(x, weight, p.tensor('upsampler.0.bias', [4 * channels]), { pads: [0, 1, 1, 0, 1, 1] })
  return depthToSpace(g, convolved, channels, [1, 2, 2])
}
