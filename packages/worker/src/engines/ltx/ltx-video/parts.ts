/** What a checkpoint consists of, and how the parts are opened that both layouts have in common. */

import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { EngineError } from '../../../failure.ts'
import type { ScheduleConfig } from '../../../flow/schedule.ts'
import { tensorOf, type Tensors } from '../../../networks/tensors.ts'
import { readT5Config, type T5Config } from '../../../text/t5/config.ts'
import { parseFields, readFields, type Fields } from '../../../weights/config-fields.ts'
import { openWeights, readTensor, type Weights } from '../../../weights/index.ts'
import type { LatentStatistics } from '../latents.ts'
import type { CheckpointLocation } from '../pipeline.ts'
import type { VaeConfig } from '../vae/config.ts'
import type { LatentUpsamplerConfig } from '../vae/latent-upsampler.ts'
import { readLatentUpsamplerConfig } from './diffusers-config.ts'
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
  /** Whether a latent frame's time is that of its first picture. */
  readonly causalCoordinates: boolean
  /** The sigmas a distilled model was trained for, where its file says so. */
  readonly allowedSigmas?: readonly number[]
  readonly latents: LatentStatistics
  /** What a decode timestep of 1 is for the decoder. */
  readonly decodeTimestepScale: number
  readonly upsampler?: Part<LatentUpsamplerConfig>
  /** Sentences for the log: what was taken from elsewhere, or told from the tensors alone. */
  readonly remarks: readonly string[]
}

/** Text encoder, tokenizer and upsampler: the same for both layouts. */
export async function openCommon(
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
  if (fields === undefined)
    throw new EngineError(
      'unsupported_checkpoint',
      `${path} carries no configuration (__metadata__.config), so it cannot be used as a latent upsampler. Use the authors' ltxv-spatial-upscaler file, or a folder in diffusers' layout.`,
    )
  return { config: readLatentUpsamplerConfig(fields), tensors: weights.tensors }
}

/** What the autoencoder's tensors say that is read here rather than by a graph. */
export async function readLatents(
  tensors: Tensors,
  config: VaeConfig,
): Promise<Pick<Checkpoint, 'latents' | 'decodeTimestepScale'>> {
  return { latents: await readStatistics(tensors, config), decodeTimestepScale: await readDecodeScale(tensors) }
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

/** The configuration that the authors write into their files, where there is one. */
export function metadataConfig(path: string, weights: Weights): Fields | undefined {
  const config = weights.metadata['config']
  return config === undefined ? undefined : parseFields(`${path}: __metadata__.config`, config)
}

/** Tensors that are read here rather than by a graph. */
export const hostTensors: ReadonlySet<string> = new Set([
  'latents_mean',
  'latents_std',
  'decoder.timestep_scale_multiplier',
])

export async function readConfig(file: string): Promise<Fields> {
  if (await exists(file)) return readFields(file)
  throw new EngineError(
    'model_missing',
    `${file} does not exist, so this is no whole checkpoint. Complete it with \`kinora models pull\`.`,
  )
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
