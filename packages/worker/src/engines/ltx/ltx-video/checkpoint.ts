/** Finds out what a checkpoint is, from its configs alone, and where each of its tensors lies. Nothing large is read. */

import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { EngineError } from '../../../failure.ts'
import type { ScheduleConfig } from '../../../flow/schedule.ts'
import { tensorOf, type Tensors } from '../../../networks/tensors.ts'
import { readT5Config } from '../../../text/t5/config.ts'
import type { T5Config } from '../../../text/t5/config.ts'
import { parseFields, readFields, type Fields } from '../../../weights/config-fields.ts'
import { openWeights, readSafetensors, readTensor, type Weights } from '../../../weights/index.ts'
import type { CheckpointLocation } from '../pipeline.ts'
import type { LatentStatistics } from '../latents.ts'
import type { VaeConfig } from '../vae/config.ts'
import type { LatentUpsamplerConfig } from '../vae/latent-upsampler.ts'
import {
  readLatentUpsamplerConfig,
  readScheduleConfig,
  readTransformerConfig,
  readVaeConfig,
} from './diffusers-config.ts'
import { readSingleFileConfig, renamedTensors } from './single-file.ts'
import type { TransformerConfig } from './transformer.ts'

export interface Part<Config> {
  readonly config: Config
  readonly tensors: Tensors
}

export interface Checkpoint {
  /** The folder's or file's name: recipes are chosen by it. */
  readonly name: string
  /** Whether it was trained for pictures at any frame and of any strength (0.9.5 and later), or for the first frame alone, wholly given (0.9.0, 0.9.1). */
  readonly keyframes: boolean
  readonly transformer: Part<TransformerConfig>
  readonly vae: Part<VaeConfig>
  readonly textEncoder: Part<T5Config>
  readonly tokenizerFolder: string
  readonly schedule: ScheduleConfig
  /** How sigmas are spaced before the schedule shifts them. */
  readonly sampler: 'uniform' | 'linear-quadratic'
  /** Whether the text encoder reads the padding after a prompt: diffusers' older pipeline lets it, the newer one masks it. */
  readonly paddingIsRead: boolean
  /** Whether a latent frame's time is that of its first picture. */
  readonly causalCoordinates: boolean
  /** The sigmas a distilled model was trained for, where its file says so. */
  readonly allowedSigmas?: readonly number[]
  readonly latents: LatentStatistics
  /** What a decode timestep of 1 is for the decoder. */
  readonly decodeTimestepScale: number
  readonly upsampler?: Part<LatentUpsamplerConfig>
}

/**
 * @throws EngineError `unsupported_checkpoint`, `bad_config`, `weights_mismatch` or `model_missing`, each naming the file and what to do
 */
export async function openCheckpoint(location: CheckpointLocation): Promise<Checkpoint> {
  const found = await stat(location.path).catch((cause: unknown) => {
    throw new EngineError(
      'model_missing',
      `${location.path} does not exist. Give a checkpoint's folder or .safetensors file, or get one with \`kinora models pull\`.`,
      { cause },
    )
  })
  return found.isDirectory() ? openFolder(location) : openSingleFile(location)
}

/**
 * Whether a model_index.json names the pipeline for keyframes.
 * @throws EngineError `unsupported_checkpoint` for any other model
 */
export function readModelIndex(index: Fields): boolean {
  const name = index.string('_class_name')
  if (name === 'LTXConditionPipeline') return true
  if (name === 'LTXImageToVideoPipeline' || name === 'LTXPipeline') return false
  throw new EngineError(
    'unsupported_checkpoint',
    `${index.source} is of a ${name}, which the ltx engine cannot run. It runs LTX-Video 0.9.x checkpoints (LTXPipeline, LTXImageToVideoPipeline, LTXConditionPipeline).`,
  )
}

async function openFolder(location: CheckpointLocation): Promise<Checkpoint> {
  const folder = location.path
  const index = await readConfig(join(folder, 'model_index.json'))
  const named = readModelIndex(index)
  const transformer = readTransformerConfig(await readConfig(join(folder, 'transformer', 'config.json')))
  const vaeFields = await readConfig(join(folder, 'vae', 'config.json'))
  const vae = readVaeConfig(vaeFields)
  const schedule = readScheduleConfig(await readConfig(join(folder, 'scheduler', 'scheduler_config.json')))
  // The hub's folders of 0.9.5 and later name the general pipeline, but were trained for keyframes: their autoencoder and schedule tell.
  const newer =
    vaeFields.raw('downsample_type') !== undefined &&
    vae.encoder.blocks.some((block) => block.kind === 'space-to-depth') &&
    schedule.shift.kind === 'factor'
  const keyframes = named || newer
  const vaeTensors = (await openWeights(join(folder, 'vae'))).tensors
  const common = await openCommon(location, folder)
  return {
    name: location.name ?? basename(folder),
    keyframes,
    transformer: { config: transformer, tensors: (await openWeights(join(folder, 'transformer'))).tensors },
    vae: { config: vae, tensors: vaeTensors },
    schedule,
    sampler: keyframes ? 'linear-quadratic' : 'uniform',
    paddingIsRead: !keyframes,
    causalCoordinates: keyframes,
    latents: await readStatistics(vaeTensors, vae),
    decodeTimestepScale: await readDecodeScale(vaeTensors),
    ...common,
  }
}

async function openSingleFile(location: CheckpointLocation): Promise<Checkpoint> {
  const weights = await readSafetensors(location.path)
  const config = readSingleFileConfig(metadataConfig(location.path, weights))
  const vaeTensors = renamedTensors(weights.tensors, 'vae')
  const keyframes = config.sampler === 'LinearQuadratic' || config.causalCoordinates
  return {
    name: location.name ?? basename(location.path),
    keyframes,
    transformer: { config: config.transformer, tensors: renamedTensors(weights.tensors, 'transformer') },
    vae: { config: config.vae, tensors: vaeTensors },
    schedule: config.schedule,
    sampler: config.sampler === 'LinearQuadratic' ? 'linear-quadratic' : 'uniform',
    paddingIsRead: !keyframes,
    causalCoordinates: config.causalCoordinates,
    ...(config.allowedSigmas && { allowedSigmas: config.allowedSigmas }),
    latents: await readStatistics(vaeTensors, config.vae),
    decodeTimestepScale: await readDecodeScale(vaeTensors),
    ...(await openCommon(location, dirname(location.path))),
  }
}

function metadataConfig(path: string, weights: Weights): Fields {
  const config = weights.metadata['config']
  if (config !== undefined) return parseFields(`${path}: __metadata__.config`, config)
  throw new EngineError(
    'unsupported_checkpoint',
    `${path} carries no configuration (__metadata__.config), so nothing says what its tensors are. Use one of the authors' ltxv-*.safetensors files or a folder in diffusers' layout.`,
  )
}

/** Text encoder, tokenizer and upsampler: the same for both layouts. */
async function openCommon(
  location: CheckpointLocation,
  folder: string,
): Promise<Pick<Checkpoint, 'textEncoder' | 'tokenizerFolder' | 'upsampler'>> {
  const textEncoder = location.textEncoder ?? join(folder, 'text_encoder')
  const upsampler = location.latentUpsampler ?? (await findLatentUpsampler(folder, basename(location.path)))
  const textConfig = await readConfig(join(textEncoder, 'config.json'))
  textConfig.only('model_type', 't5')
  return {
    textEncoder: {
      config: readT5Config(textConfig),
      tensors: (await openWeights(textEncoder)).tensors,
    },
    tokenizerFolder: location.tokenizer ?? join(folder, 'tokenizer'),
    ...(upsampler !== undefined && { upsampler: await openLatentUpsampler(upsampler) }),
  }
}

/** Beside a checkpoint: a folder in diffusers' layout, or the authors' file of the same version. */
async function findLatentUpsampler(folder: string, checkpoint: string): Promise<string | undefined> {
  const names = await readdir(folder)
  if (names.includes('latent_upsampler')) return join(folder, 'latent_upsampler')
  const version = /\d+\.\d+\.\d+/.exec(checkpoint)?.[0]
  const file = names.find(
    (name) => name.includes('spatial-upscaler') && version !== undefined && name.endsWith(`${version}.safetensors`),
  )
  return file === undefined ? undefined : join(folder, file)
}

/** @param path a folder in diffusers' layout, or the authors' single file */
export async function openLatentUpsampler(path: string): Promise<Part<LatentUpsamplerConfig>> {
  const weights = await openWeights(path)
  const isFolder = (await stat(path)).isDirectory()
  const fields = isFolder ? await readConfig(join(path, 'config.json')) : metadataConfig(path, weights)
  return { config: readLatentUpsamplerConfig(fields), tensors: weights.tensors }
}

async function readStatistics(tensors: Tensors, config: VaeConfig): Promise<LatentStatistics> {
  const [mean, std] = await Promise.all(
    ['latents_mean', 'latents_std'].map((name) => readTensor(tensorOf(tensors, name, [config.latentChannels]))),
  )
  if (mean === undefined || std === undefined) throw new Error('There are two statistics.')
  return { mean, std, scalingFactor: config.scalingFactor }
}

async function readDecodeScale(tensors: Tensors): Promise<number> {
  const entry = tensors.get('decoder.timestep_scale_multiplier')
  return entry === undefined ? 1000 : ((await readTensor(entry))[0] ?? 1000)
}

/** Tensors that are read here rather than by a graph. */
export const hostTensors: ReadonlySet<string> = new Set([
  'latents_mean',
  'latents_std',
  'decoder.timestep_scale_multiplier',
])

async function readConfig(file: string): Promise<Fields> {
  if (await exists(file)) return readFields(file)
  throw new EngineError(
    'model_missing',
    `${file} does not exist, so this is no whole checkpoint. Complete it with \`kinora models pull\`.`,
  )
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
