/** Layers that the autoencoder's two halves share. x is `[1, C, F, H, W]` in the compute type. (diffusers: `models/autoencoders/autoencoder_kl_ltx.py`) */

import { silu, type Parameters } from '../../../networks/parameters.ts'
import { type Graph, type Value } from '../../../onnx/index.ts'
import type { Stride } from './config.ts'

const pixelNormEpsilon = 1e-8

/**
 * A 3x3x3 convolution (or of another odd `kernel`). In time the border pictures are repeated, all in front where it is causal; in space zeros are added.
 */
export function convolution(
  p: Parameters,
  x: Value,
  name: string,
  inputs: number,
  outputs: number,
  options: { causal: boolean; kernel?: number; stride?: Stride },
): Value {
  const g = p.graph
  const { causal, kernel = 3, stride } = options
  const weight = p.tensor(`${name}.weight`, [outputs, inputs, kernel, kernel, kernel])
  const bias = p.tensor(`${name}.bias`, [outputs])
  const pad = Math.floor(kernel / 2)
  const first = (count: number) => Array.from({ length: count }, () => g.slice(x, 2, 0, 1))
  const last = (count: number) => Array.from({ length: count }, () => g.slice(x, 2, -1))
  const padded = causal ? g.concat([...first(kernel - 1), x], 2) : g.concat([...first(pad), x, ...last(pad)], 2)
  return g.conv(padded, weight, bias, { pads: [0, pad, pad, 0, pad, pad], ...(stride && { strides: stride }) })
}

/** x / sqrt(mean over channels of x² + 1e-8), in float32 whatever x is: squares of halves overflow. */
export function pixelNorm(g: Graph, x: Value): Value {
  const wide = g.cast(x, 'float32')
  const meanSquare = g.reduceMean(g.mul(wide, wide), [1])
  return g.cast(g.div(wide, g.sqrt(g.add(meanSquare, g.scalar('float32', pixelNormEpsilon)))), x.dtype)
}

/** Scales and shifts that a timestep gives: values `[1, C, 1, 1, 1]`. */
export interface Modulation {
  readonly shift: Value
  readonly scale: Value
}

export function modulate(g: Graph, x: Value, modulation: Modulation | undefined): Value {
  if (modulation === undefined) return x
  return g.add(g.mul(x, g.add(modulation.scale, g.scalar(x.dtype, 1))), modulation.shift)
}

export interface ResnetOptions {
  readonly causal: boolean
  readonly shortcutEpsilon: number
  /** For the first and the second half of the block. */
  readonly modulations?: readonly [Modulation, Modulation]
  /** Where noise is injected: gives a fresh input `[H, W]` each time. */
  readonly noise?: () => Value
}

/** Norm, SiLU, convolution, twice, around a shortcut. */
export function resnet(
  p: Parameters,
  x: Value,
  name: string,
  inputs: number,
  outputs: number,
  options: ResnetOptions,
): Value {
  const g = p.graph
  const { causal, modulations, noise } = options
  let hidden = silu(g, modulate(g, pixelNorm(g, x), modulations?.[0]))
  hidden = convolution(p, hidden, `${name}.conv1.conv`, inputs, outputs, { causal })
  if (noise) hidden = injectNoise(p, hidden, `${name}.per_channel_scale1`, inputs, noise())
  hidden = silu(g, modulate(g, pixelNorm(g, hidden), modulations?.[1]))
  hidden = convolution(p, hidden, `${name}.conv2.conv`, outputs, outputs, { causal })
  if (noise) hidden = injectNoise(p, hidden, `${name}.per_channel_scale2`, inputs, noise())
  return g.add(hidden, inputs === outputs ? x : shortcut(p, x, name, inputs, outputs, options))
}

function shortcut(
  p: Parameters,
  x: Value,
  name: string,
  inputs: number,
  outputs: number,
  options: ResnetOptions,
): Value {
  const g = p.graph
  const weight = p.tensor(`${name}.norm3.weight`, [inputs], 'float32')
  const bias = p.tensor(`${name}.norm3.bias`, [inputs], 'float32')
  const channelsLast = g.transpose(g.cast(x, 'float32'), [0, 2, 3, 4, 1])
  const normed = g.transpose(g.layerNorm(channelsLast, weight, bias, options.shortcutEpsilon), [0, 4, 1, 2, 3])
  return convolution(p, g.cast(normed, x.dtype), `${name}.conv_shortcut.conv`, inputs, outputs, {
    causal: options.causal,
    kernel: 1,
  })
}

/** Adds noise `[H, W]`, the same in every frame and channel but for a learned strength per channel. */
function injectNoise(p: Parameters, x: Value, name: string, channels: number, noise: Value): Value {
  const g = p.graph
  const strength = g.reshape(p.tensor(name, [channels, 1, 1]), [1, channels, 1, 1, 1])
  return g.add(x, g.mul(g.unsqueeze(g.cast(noise, p.compute), [0, 1, 2]), strength))
}

/** Channels become neighbours: `[1, C·t·h·w, F, H, W]` to `[1, C, F·t, H·h, W·w]`. `order` says where the three factors go in the patch: see the callers. */
export function depthToSpace(
  g: Graph,
  x: Value,
  channels: number,
  stride: Stride,
  permutation: readonly number[] = [0, 1, 5, 2, 6, 3, 7, 4],
): Value {
  const sizes = [2, 3, 4].map((axis) => g.sizeOf(x, axis))
  const apart = g.reshape(x, g.concat([g.int64s([1, channels, ...stride]), ...sizes], 0))
  const grown = sizes.map((size, axis) => g.mul(size, g.int64s([stride[axis] ?? 1])))
  return g.reshape(g.transpose(apart, permutation), g.concat([g.int64s([1, channels]), ...grown], 0))
}

/** The way back: `[1, C, F, H, W]` to `[1, C·t·h·w, F/t, H/h, W/w]`. */
export function spaceToDepth(
  g: Graph,
  x: Value,
  channels: number,
  stride: Stride,
  permutation: readonly number[] = [0, 1, 3, 5, 7, 2, 4, 6],
): Value {
  const [time, height, width] = stride
  const shrunk = [2, 3, 4].map((axis) => g.div(g.sizeOf(x, axis), g.int64s([stride[axis - 2] ?? 1])))
  const [frames, rows, columns] = shrunk
  if (!frames || !rows || !columns) throw new Error('A video has three axes.')
  const apart = g.concat(
    [g.int64s([1, channels]), frames, g.int64s([time]), rows, g.int64s([height]), columns, g.int64s([width])],
    0,
  )
  const together = g.concat([g.int64s([1, channels * time * height * width]), ...shrunk], 0)
  return g.reshape(g.transpose(g.reshape(x, apart), permutation), together)
}
