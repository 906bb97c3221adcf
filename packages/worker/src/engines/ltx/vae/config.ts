/** What an LTX video autoencoder consists of, whether diffusers' config or the authors' described it: blocks in the order they run. */

import type { Compression } from '../coordinates.ts'

/** Factors by which a resampler changes frames, rows and columns. */
export type Stride = readonly [time: number, height: number, width: number]

export type VaeBlock =
  /** Residual blocks that keep the channels. */
  | {
      readonly kind: 'resnets'
      readonly name: string
      readonly channels: number
      readonly layers: number
      readonly injectNoise: boolean
    }
  /** One residual block that changes the channels. */
  | {
      readonly kind: 'resnet'
      readonly name: string
      readonly inputs: number
      readonly outputs: number
      readonly injectNoise: boolean
    }
  /** Down: a convolution that skips. */
  | {
      readonly kind: 'strided'
      readonly name: string
      readonly inputs: number
      readonly outputs: number
      readonly stride: Stride
    }
  /** Down: neighbours become channels, with their mean as a residual. */
  | {
      readonly kind: 'space-to-depth'
      readonly name: string
      readonly inputs: number
      readonly outputs: number
      readonly stride: Stride
    }
  /** Up: channels become neighbours; `factor` divides the channels beyond that. */
  | {
      readonly kind: 'depth-to-space'
      readonly name: string
      readonly inputs: number
      readonly stride: Stride
      readonly residual: boolean
      readonly factor: number
    }

export interface VaeConfig {
  /** Colours in and out. */
  readonly pictureChannels: number
  readonly latentChannels: number
  /** Pixels of a side that become channels at the very edge of the network. */
  readonly patchSize: number
  /** Of the layer norm before a residual block's shortcut. */
  readonly shortcutEpsilon: number
  readonly scalingFactor: number
  readonly compression: Compression
  readonly encoder: { readonly causal: boolean; readonly channels: number; readonly blocks: readonly VaeBlock[] }
  readonly decoder: {
    readonly causal: boolean
    /** Channels after the first convolution. */
    readonly channels: number
    readonly blocks: readonly VaeBlock[]
    /** Whether it is told how noisy its latents are. */
    readonly timestepConditioning: boolean
  }
}

/** Channels that come out of a list of blocks. */
export function channelsAfter(blocks: readonly VaeBlock[], channels: number): number {
  const last = blocks.at(-1)
  if (last === undefined) return channels
  if (last.kind === 'resnets') return last.channels
  return last.kind === 'depth-to-space' ? last.inputs / last.factor : last.outputs
}

/** The product of all strides, times the patch. */
export function compressionOf(blocks: readonly VaeBlock[], patchSize: number): Compression {
  let time = 1
  let space = patchSize
  for (const block of blocks) {
    if (block.kind === 'strided' || block.kind === 'space-to-depth' || block.kind === 'depth-to-space') {
      time *= block.stride[0]
      space *= block.stride[1]
    }
  }
  return { time, space }
}
