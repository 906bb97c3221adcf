/** Reads the config.json files of a checkpoint in diffusers' folder layout. Defaults are those of diffusers' and transformers' classes. */

import type { ScheduleConfig } from '../../../flow/schedule.ts'
import type { Fields } from '../../../weights/config-fields.ts'
import { compressionOf, type Stride, type VaeBlock, type VaeConfig } from '../vae/config.ts'
import type { LatentUpsamplerConfig } from '../vae/latent-upsampler.ts'
import type { TransformerConfig } from './transformer.ts'

export function readTransformerConfig(fields: Fields): TransformerConfig {
  fields.only('patch_size', 1)
  fields.only('patch_size_t', 1)
  fields.only('activation_fn', 'gelu-approximate')
  fields.only('qk_norm', 'rms_norm_across_heads', 'rms_norm')
  fields.only('norm_elementwise_affine', false)
  const inChannels = fields.number('in_channels', 128)
  const heads = fields.number('num_attention_heads', 32)
  const headSize = fields.number('attention_head_dim', 64)
  return {
    inChannels,
    outChannels: fields.number('out_channels', inChannels),
    heads,
    headSize,
    layers: fields.number('num_layers', 28),
    captionChannels: fields.number('caption_channels', 4096),
    crossAttentionSize: fields.number('cross_attention_dim', heads * headSize),
    normEpsilon: fields.number('norm_eps', 1e-6),
    attentionBias: fields.boolean('attention_bias', true),
    attentionOutBias: fields.boolean('attention_out_bias', true),
    timestepScale: 1000,
    maximumPositions: [20, 2048, 2048],
    theta: 10000,
  }
}

const wholeStride: Stride = [2, 2, 2]
const strides: Readonly<Record<string, Stride>> = {
  conv: wholeStride,
  spatial: [1, 2, 2],
  temporal: [2, 1, 1],
  spatiotemporal: wholeStride,
}

export function readVaeConfig(fields: Fields): VaeConfig {
  fields.only('patch_size_t', 1)
  const patchSize = fields.number('patch_size', 4)
  const encoderChannels = fields.numbers('block_out_channels', [128, 256, 512, 512])
  const encoder = encoderBlocks(fields, encoderChannels)
  const decoderChannels = fields.numbers('decoder_block_out_channels', [128, 256, 512, 512]).toReversed()
  return {
    pictureChannels: fields.number('in_channels', 3),
    latentChannels: fields.number('latent_channels', 128),
    patchSize,
    shortcutEpsilon: fields.number('resnet_norm_eps', 1e-6),
    scalingFactor: fields.number('scaling_factor', 1),
    compression: compressionOf(encoder, patchSize),
    encoder: { causal: fields.boolean('encoder_causal', true), channels: encoderChannels[0] ?? 0, blocks: encoder },
    decoder: {
      causal: fields.boolean('decoder_causal', false),
      channels: decoderChannels[0] ?? 0,
      blocks: decoderBlocks(fields, decoderChannels),
      timestepConditioning: fields.boolean('timestep_conditioning', false),
    },
  }
}

function encoderBlocks(fields: Fields, channels: readonly number[]): VaeBlock[] {
  const types = fields.strings(
    'down_block_types',
    channels.map(() => 'LTXVideoDownBlock3D'),
  )
  for (const type of types) if (type !== types[0]) throw new Error(`${fields.source} mixes kinds of down blocks.`)
  const compact = types[0] === 'LTXVideo095DownBlock3D'
  const layers = fields.numbers('layers_per_block', [4, 3, 3, 3, 4])
  const scaling = fields.booleans('spatio_temporal_scaling', [true, true, true, false])
  const downsampling = fields.strings(
    'downsample_type',
    channels.map(() => 'conv'),
  )
  const count = compact ? channels.length - 1 : channels.length
  const blocks: VaeBlock[] = []
  let inputs = channels[0] ?? 0
  for (let index = 0; index < count; index++) {
    const name = `encoder.down_blocks.${index}`
    const outputs = channels[index + 1] ?? inputs
    blocks.push({ kind: 'resnets', name, channels: inputs, layers: layers[index] ?? 0, injectNoise: false })
    const sampler = `${name}.downsamplers.0`
    const type = compact ? (downsampling[index] ?? 'conv') : 'conv'
    const stride = strides[type] ?? wholeStride
    const shuffled = type !== 'conv'
    if (scaling[index] === true && shuffled)
      blocks.push({ kind: 'space-to-depth', name: sampler, inputs, outputs, stride })
    if (scaling[index] === true && !shuffled)
      blocks.push({ kind: 'strided', name: sampler, inputs, outputs: inputs, stride })
    if (!compact && inputs !== outputs)
      blocks.push({ kind: 'resnet', name: `${name}.conv_out`, inputs, outputs, injectNoise: false })
    inputs = outputs
  }
  blocks.push({
    kind: 'resnets',
    name: 'encoder.mid_block',
    channels: inputs,
    layers: layers.at(-1) ?? 0,
    injectNoise: false,
  })
  return blocks
}

/** @param channels from the latents outwards */
function decoderBlocks(fields: Fields, channels: readonly number[]): VaeBlock[] {
  const layers = fields.numbers('decoder_layers_per_block', [4, 3, 3, 3, 4]).toReversed()
  const scaling = fields.booleans('decoder_spatio_temporal_scaling', [true, true, true, false]).toReversed()
  const noise = fields
    .booleans(
      'decoder_inject_noise',
      layers.map(() => false),
    )
    .toReversed()
  const residual = fields
    .booleans(
      'upsample_residual',
      channels.map(() => false),
    )
    .toReversed()
  const factors = fields
    .numbers(
      'upsample_factor',
      channels.map(() => 1),
    )
    .toReversed()
  let inputs = channels[0] ?? 0
  const middle = {
    kind: 'resnets',
    name: 'decoder.mid_block',
    channels: inputs,
    layers: layers[0] ?? 0,
    injectNoise: noise[0] ?? false,
  } as const
  const blocks: VaeBlock[] = [middle]
  for (let index = 0; index < channels.length; index++) {
    const name = `decoder.up_blocks.${index}`
    const factor = factors[index] ?? 1
    const before = inputs / factor
    const outputs = (channels[index] ?? 0) / factor
    const injectNoise = noise[index + 1] ?? false
    if (before !== outputs)
      blocks.push({ kind: 'resnet', name: `${name}.conv_in`, inputs: before, outputs, injectNoise })
    if (scaling[index] === true) {
      const upsampler = {
        name: `${name}.upsamplers.0`,
        inputs: outputs * factor,
        stride: wholeStride,
        residual: residual[index] ?? false,
        factor,
      }
      blocks.push({ kind: 'depth-to-space', ...upsampler })
    }
    blocks.push({ kind: 'resnets', name, channels: outputs, layers: layers[index + 1] ?? 0, injectNoise })
    inputs = outputs
  }
  return blocks
}

export function readScheduleConfig(fields: Fields): ScheduleConfig {
  fields.only('_class_name', 'FlowMatchEulerDiscreteScheduler')
  fields.only('time_shift_type', 'exponential')
  for (const key of ['use_karras_sigmas', 'use_exponential_sigmas', 'use_beta_sigmas', 'invert_sigmas'])
    fields.only(key, false)
  fields.only('num_train_timesteps', 1000)
  return {
    shift: fields.boolean('use_dynamic_shifting', false)
      ? {
          kind: 'by-length',
          baseTokens: fields.number('base_image_seq_len', 256),
          maximumTokens: fields.number('max_image_seq_len', 4096),
          baseShift: fields.number('base_shift', 0.5),
          maximumShift: fields.number('max_shift', 1.15),
        }
      : { kind: 'factor', factor: fields.number('shift', 1) },
    ...(fields.has('shift_terminal') && { terminal: fields.number('shift_terminal') }),
    stochastic: fields.boolean('stochastic_sampling', false),
  }
}

export function readLatentUpsamplerConfig(fields: Fields): LatentUpsamplerConfig {
  fields.only('_class_name', 'LTXLatentUpsamplerModel', 'LatentUpsampler')
  fields.only('dims', 3)
  fields.only('spatial_upsample', true)
  fields.only('temporal_upsample', false)
  return {
    latentChannels: fields.number('in_channels', 128),
    middleChannels: fields.number('mid_channels', 512),
    blocksPerStage: fields.number('num_blocks_per_stage', 4),
  }
}
