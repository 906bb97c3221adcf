/** Finds out what a checkpoint is, from its configs alone, and where each of its tensors lies. Nothing large is read. */

import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { EngineError } from '../../../failure.ts'
import type { Fields } from '../../../weights/config-fields.ts'
import { openWeights } from '../../../weights/index.ts'
import type { CheckpointLocation } from '../pipeline.ts'
import { readScheduleConfig, readTransformerConfig, readVaeConfig } from './diffusers-config.ts'
import { openSingleFile } from './open-single-file.ts'
import { openCommon, readConfig, readLatents, type Checkpoint } from './parts.ts'

export { hostTensors, openLatentUpsampler, type Checkpoint } from './parts.ts'

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
  const index = await readIndex(folder)
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
    causalCoordinates: keyframes,
    ...(await readLatents(vaeTensors, vae)),
    ...common,
    remarks: [],
  }
}

/** The index of a folder in diffusers' layout; for any other folder, words for what lies there. */
async function readIndex(folder: string): Promise<Fields> {
  const names = await readdir(folder)
  if (names.includes('model_index.json')) return readConfig(join(folder, 'model_index.json'))
  const gguf = names.find((name) => name.endsWith('.gguf'))
  // Its own words for such a file are better than any for a folder.
  if (gguf !== undefined) await openWeights(join(folder, gguf))
  const files = names.filter((name) => name.endsWith('.safetensors'))
  throw new EngineError(
    'model_missing',
    files.length > 0
      ? `${folder} is no folder in diffusers' layout (it has no model_index.json), but holds ${files.join(', ')}. Name the file that is meant.`
      : `${join(folder, 'model_index.json')} does not exist, so this is no whole checkpoint. Complete it with \`kinora models pull\`.`,
  )
}
