/** Reads the authors' single-file checkpoints: their JSON config in `__metadata__.config`, and their names for tensors. */

import { EngineError } from '../../../failure.ts'
import type { ScheduleConfig } from '../../../flow/schedule.ts'
import type { Tensors } from '../../../networks/tensors.ts'
import { Fields } from '../../../weights/config-fields.ts'
import type { TensorEntry } from '../../../weights/index.ts'
import { compressionOf, type Stride, type VaeBlock, type VaeConfig } from '../vae/config.ts'
import { readTransformerConfig } from './diffusers-config.ts'
import type { TransformerConfig } from './transformer.ts'

export type SingleFilePart = 'transformer' | 'vae'

/** A name that the part has in every version, after whatever a tool has put before it: the authors `model.diffusion_model.` and `vae.`, others something else, or nothing. */
const landmarks: Readonly<Record<SingleFilePart, RegExp>> = {
  transformer: /^(.*?)transformer_blocks\.0\.attn1\.to_q\.weight$/,
  vae: /^(.*?)(per_channel_statistics\.mean-of-means|latents_mean)$/,
}

/** What stands before the names of a part; undefined where the file does not hold it. */
export function prefixOf(tensors: Tensors, part: SingleFilePart): string | undefined {
  for (const name of tensors.keys()) {
    const found = landmarks[part].exec(name)?.[1]
    if (found !== undefined) return found
  }
  return undefined
}

/** Statistics of the latents that nothing reads. */
const unusedStatistics = new Set(
  ['channel', 'mean-of-stds', 'mean-of-stds_over_std-of-means'].map((name) => `per_channel_statistics.${name}`),
)

const transformerNames: readonly (readonly [RegExp, string])[] = [
  [/^patchify_proj\./, 'proj_in.'],
  [/^adaln_single\./, 'time_embed.'],
  [/\.q_norm\./, '.norm_q.'],
  [/\.k_norm\./, '.norm_k.'],
]

const vaeNames: readonly (readonly [RegExp, string])[] = [
  [/\.res_blocks\./, '.resnets.'],
  [/\.conv_shortcut\.(?!conv\.)/, '.conv_shortcut.conv.'],
  [/\.norm3\.norm\./, '.norm3.'],
  [/^decoder\.last_time_embedder\./, 'decoder.time_embedder.'],
  [/^decoder\.last_scale_shift_table$/, 'decoder.scale_shift_table'],
  [/^per_channel_statistics\.mean-of-means$/, 'latents_mean'],
  [/^per_channel_statistics\.std-of-means$/, 'latents_std'],
]

/** A name in the authors' transformer, without prefix, as our graphs use it. */
export function renameTransformer(name: string): string {
  return transformerNames.reduce((current, [pattern, replacement]) => current.replace(pattern, replacement), name)
}

function renameVae(name: string): string {
  return vaeNames.reduce((current, [pattern, replacement]) => current.replace(pattern, replacement), name)
}

/** A part of a file, under the names that our graphs use; empty where the file does not hold it. */
export function renamedTensors(tensors: Tensors, part: SingleFilePart): Map<string, TensorEntry> {
  const prefix = prefixOf(tensors, part)
  const rename = part === 'transformer' ? renameTransformer : renameVae
  const renamed = new Map<string, TensorEntry>()
  if (prefix === undefined) return renamed
  // A transformer without a prefix stands among everything else.
  const other = prefixOf(tensors, part === 'transformer' ? 'vae' : 'transformer') ?? ''
  for (const [name, entry] of tensors) {
    if (!name.startsWith(prefix) || (other.length > prefix.length && name.startsWith(other))) continue
    const bare = name.slice(prefix.length)
    if (unusedStatistics.has(bare)) continue
    renamed.set(rename(bare), entry)
  }
  return renamed
}

export interface OriginalTransformer {
  readonly config: TransformerConfig
  readonly causalCoordinates: boolean
}

/** @throws EngineError where the config is of another model */
export function readOriginalTransformer(transformer: Fields): OriginalTransformer {
  transformer.only('_class_name', 'Transformer3DModel', 'LTXVideoTransformer3DModel')
  transformer.only('standardization_norm', 'rms_norm')
  transformer.only('positional_embedding_type', 'rope')
  const positions = transformer.numbers('positional_embedding_max_pos', [20, 2048, 2048])
  return {
    config: {
      ...readTransformerConfig(transformer),
      timestepScale: transformer.number('timestep_scale_multiplier', 1000),
      maximumPositions: [positions[0] ?? 20, positions[1] ?? 2048, positions[2] ?? 2048],
      theta: transformer.number('positional_embedding_theta', 10000),
    },
    causalCoordinates: transformer.boolean('causal_temporal_positioning', false),
  }
}

export interface OriginalSchedule {
  readonly schedule: ScheduleConfig
  /** `LinearQuadratic` for 0.9.5 and later, `Uniform` before. */
  readonly sampler: string
}

/** @throws EngineError where the config is of a scheduler we do not know */
export function readOriginalSchedule(scheduler: Fields): OriginalSchedule {
  scheduler.only('sampler', 'Uniform', 'LinearQuadratic', 'Constant')
  return { schedule: readShift(scheduler), sampler: scheduler.string('sampler', 'Uniform') }
}

function readShift(scheduler: Fields): ScheduleConfig {
  scheduler.only('shifting', 'SD3')
  const terminal = scheduler.has('target_shift_terminal') ? { terminal: scheduler.number('target_shift_terminal') } : {}
  if (scheduler.has('shifting')) {
    return {
      shift: { kind: 'by-length', baseTokens: 1024, maximumTokens: 4096, baseShift: 0.95, maximumShift: 2.05 },
      ...terminal,
      stochastic: false,
    }
  }
  const constant = scheduler.string('sampler', 'Uniform') === 'Constant'
  return { shift: { kind: 'factor', factor: constant ? Math.exp(scheduler.number('shift')) : 1 }, stochastic: false }
}

/** @throws EngineError where the config is of another model or of blocks we do not know */
export function readOriginalVaeConfig(fields: Fields): VaeConfig {
  fields.only('_class_name', 'CausalVideoAutoencoder')
  fields.only('dims', 3)
  fields.only('norm_layer', 'pixel_norm')
  fields.only('latent_log_var', 'uniform')
  fields.only('use_quant_conv', false)
  fields.only('spatial_padding_mode', 'zeros')
  const patchSize = fields.number('patch_size', 4)
  const list = (key: string) => readBlocks(fields, fields.has(key) ? key : 'blocks')
  const encoderChannels = fields.number('encoder_base_channels', 128)
  const encoder = encoderBlocks(list('encoder_blocks'), encoderChannels, fields)
  const decoder = decoderBlocks(
    list('decoder_blocks').toReversed(),
    fields.number('decoder_base_channels', 128),
    fields,
  )
  return {
    pictureChannels: fields.number('in_channels', 3),
    latentChannels: fields.number('latent_channels', 128),
    patchSize,
    shortcutEpsilon: 1e-6,
    scalingFactor: fields.number('scaling_factor', 1),
    compression: compressionOf(encoder, patchSize),
    encoder: { causal: true, channels: encoderChannels, blocks: encoder },
    decoder: {
      causal: fields.boolean('causal_decoder', false),
      ...decoder,
      timestepConditioning: fields.boolean('timestep_conditioning', false),
    },
  }
}

interface OriginalBlock {
  readonly type: string
  readonly options: Fields
}

/** `[["res_x", {"num_layers": 4}], ["compress_all", {}], ...]`; a number in place of the object is its num_layers. */
function readBlocks(fields: Fields, key: string): OriginalBlock[] {
  const list = fields.raw(key)
  if (!Array.isArray(list)) throw unknownBlock(fields, key, list)
  return list.map((entry: unknown) => {
    if (!Array.isArray(entry) || typeof entry[0] !== 'string') throw unknownBlock(fields, key, entry)
    const options: unknown = typeof entry[1] === 'number' ? { num_layers: entry[1] } : (entry[1] ?? {})
    return { type: entry[0], options: new Fields(`${fields.source}: ${key}`, options) }
  })
}

const strideOf: Readonly<Record<string, Stride>> = { all: [2, 2, 2], space: [1, 2, 2], time: [2, 1, 1] }

function encoderBlocks(list: readonly OriginalBlock[], base: number, fields: Fields): VaeBlock[] {
  let channels = base
  return list.map(({ type, options }, index): VaeBlock => {
    const name = `encoder.down_blocks.${index}`
    const inputs = channels
    if (type === 'res_x')
      return { kind: 'resnets', name, channels, layers: options.number('num_layers'), injectNoise: false }
    const compress = /^compress_(all|space|time)(_res|_x_y)?$/.exec(type)
    if (type !== 'res_x_y' && compress === null) throw unknownBlock(fields, 'encoder_blocks', type)
    const stride = strideOf[compress?.[1] ?? ''] ?? [2, 2, 2]
    if (compress !== null && compress[2] === undefined)
      return { kind: 'strided', name, inputs, outputs: inputs, stride }
    channels *= options.number('multiplier', 2)
    if (type === 'res_x_y') return { kind: 'resnet', name, inputs, outputs: channels, injectNoise: false }
    return { kind: compress?.[2] === '_res' ? 'space-to-depth' : 'strided', name, inputs, outputs: channels, stride }
  })
}

/** @param list from the latents outwards */
function decoderBlocks(
  list: readonly OriginalBlock[],
  base: number,
  fields: Fields,
): { channels: number; blocks: VaeBlock[] } {
  const multiplier = ({ type, options }: OriginalBlock) =>
    type === 'res_x_y' ? options.number('multiplier', 2) : type === 'compress_all' ? options.number('multiplier', 1) : 1
  const first = list.reduce((product, block) => product * multiplier(block), base)
  let channels = first
  const blocks = list.map((block, index): VaeBlock => {
    const { type, options } = block
    const name = `decoder.up_blocks.${index}`
    const injectNoise = options.boolean('inject_noise', false)
    const inputs = channels
    if (type === 'res_x') return { kind: 'resnets', name, channels, layers: options.number('num_layers'), injectNoise }
    channels = inputs / multiplier(block)
    if (type === 'res_x_y') return { kind: 'resnet', name, inputs, outputs: channels, injectNoise }
    const stride = strideOf[/^compress_(all|space|time)$/.exec(type)?.[1] ?? '']
    if (stride === undefined) throw unknownBlock(fields, 'decoder_blocks', type)
    return {
      kind: 'depth-to-space',
      name,
      inputs,
      stride,
      residual: options.boolean('residual', false),
      factor: multiplier(block),
    }
  })
  return { channels: first, blocks }
}

function unknownBlock(fields: Fields, key: string, value: unknown): EngineError {
  return new EngineError(
    'unsupported_checkpoint',
    `${fields.source} has ${JSON.stringify(value)} in ${key}, which the ltx engine does not know. Use another checkpoint or a newer Kinora.`,
  )
}
