/** Opens a checkpoint that is one file: the authors' own, or what other tools have made of it. */

import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { EngineError } from '../../../failure.ts'
import { Fields, readFields } from '../../../weights/config-fields.ts'
import { openWeights, readSafetensors, type Weights } from '../../../weights/index.ts'
import type { CheckpointLocation } from '../pipeline.ts'
import type { VaeConfig } from '../vae/config.ts'
import { readVaeConfig } from './diffusers-config.ts'
import { inferSchedule, inferTransformer, inferVae } from './infer-config.ts'
import { exists, metadataConfig, openCommon, readLatents, type Checkpoint, type Part } from './parts.ts'
import {
  readOriginalSchedule,
  readOriginalTransformer,
  readOriginalVaeConfig,
  renamedTensors,
  type OriginalSchedule,
  type OriginalTransformer,
} from './single-file.ts'

/** @throws EngineError `unsupported_checkpoint`, `bad_config`, `weights_mismatch`; WeightsError for a broken file */
export async function openSingleFile(location: CheckpointLocation): Promise<Checkpoint> {
  const { path } = location
  const weights = await readSafetensors(path)
  const tensors = renamedTensors(weights.tensors, 'transformer')
  if (tensors.size === 0) throw withoutTransformer(path, weights)
  const said = metadataConfig(path, weights) ?? (await configBeside(path))
  const vae = await findVae(location, weights, said)
  const { config, causalCoordinates, schedule, sampler } = readConfigs(path, tensors, vae.config, said)
  if (vae.config.latentChannels !== config.inChannels) throw unlikeVae(path, config.inChannels, vae)
  const keyframes = sampler === 'LinearQuadratic' || causalCoordinates
  return {
    name: location.name ?? basename(path),
    keyframes,
    transformer: { config, tensors },
    vae: { config: vae.config, tensors: vae.tensors },
    schedule,
    sampler: sampler === 'LinearQuadratic' ? 'linear-quadratic' : 'uniform',
    causalCoordinates,
    ...(said?.has('allowed_inference_steps') && { allowedSigmas: said.numbers('allowed_inference_steps') }),
    ...(await readLatents(vae.tensors, vae.config)),
    ...(await openCommon(location, dirname(path))),
    remarks: [
      ...(said?.has('transformer')
        ? []
        : [`${basename(path)} carries no configuration: what it is was told from its tensors.`]),
      ...(vae.from === path ? [] : [`The VAE is that of ${vae.from}.`]),
    ],
  }
}

/** A configuration beside a file that carries none: of the authors' form, or of diffusers' transformer. */
async function configBeside(path: string): Promise<Fields | undefined> {
  for (const file of [path.replace(/\.safetensors$/, '.json'), join(dirname(path), 'config.json')]) {
    if (file === path || !(await exists(file))) continue
    const fields = await readFields(file)
    if (fields.has('transformer') || fields.has('num_attention_heads')) return fields
  }
  return undefined
}

function readConfigs(
  path: string,
  tensors: Part<unknown>['tensors'],
  vae: VaeConfig,
  said: Fields | undefined,
): OriginalTransformer & OriginalSchedule {
  if (said?.has('transformer'))
    return { ...readOriginalTransformer(said.fields('transformer')), ...readOriginalSchedule(said.fields('scheduler')) }
  const told = { ...inferTransformer(tensors), ...said?.all() }
  if (!('num_attention_heads' in told)) throw withoutHeads(path)
  const isNewer = vae.encoder.blocks.some((block) => block.kind === 'space-to-depth')
  const { scheduler, causalCoordinates } = inferSchedule(isNewer)
  const source = said?.source ?? `${path}: its tensors`
  return {
    config: readOriginalTransformer(new Fields(source, told)).config,
    causalCoordinates,
    ...readOriginalSchedule(new Fields(source, scheduler)),
  }
}

interface FoundVae extends Part<VaeConfig> {
  readonly from: string
}

/** The file's own, or one that was named, or the folder `vae` beside it. */
async function findVae(
  { path, vae }: CheckpointLocation,
  weights: Weights,
  said: Fields | undefined,
): Promise<FoundVae> {
  if (vae !== undefined) return openVae(vae)
  const own = vaeOf(path, weights, said)
  if (own !== undefined) return own
  const beside = join(dirname(path), 'vae')
  if (await exists(beside)) return openVae(beside)
  throw new EngineError(
    'unsupported_checkpoint',
    `${path} holds a transformer only. The VAE is taken from a folder vae beside it (config.json and weights, as diffusers lays them out), or from the folder or file that VAE (--vae) names: another checkpoint of the same version will do.`,
  )
}

/** @param path a folder in diffusers' layout, or a file that holds a VAE beside other things or alone */
async function openVae(path: string): Promise<FoundVae> {
  const weights = await openWeights(path)
  const isFolder = await stat(path).then((found) => found.isDirectory())
  if (isFolder && (await exists(join(path, 'config.json')))) {
    const fields = await readFields(join(path, 'config.json'))
    if (fields.string('_class_name', '') === 'AutoencoderKLLTXVideo')
      return { config: readVaeConfig(fields), tensors: weights.tensors, from: path }
  }
  const found = vaeOf(path, weights, metadataConfig(path, weights))
  if (found !== undefined) return found
  throw new EngineError(
    'unsupported_checkpoint',
    `${path} holds no VAE of LTX-Video. Name the folder vae of a checkpoint, or one of the authors' ltxv-*.safetensors files.`,
  )
}

function vaeOf(path: string, weights: Weights, said: Fields | undefined): FoundVae | undefined {
  const tensors = renamedTensors(weights.tensors, 'vae')
  if (tensors.size === 0) return undefined
  const fields = said?.has('vae') ? said.fields('vae') : new Fields(`${path}: its tensors`, inferVae(tensors))
  return { config: readOriginalVaeConfig(fields), tensors, from: path }
}

function withoutTransformer(path: string, weights: Weights): EngineError {
  const names = [...weights.tensors.keys()]
  const isLora = names.some((name) => /\.lora_(A|B|down|up)\./.test(name))
  const what = isLora
    ? 'is a LoRA, not a checkpoint. Name it in LORA (--lora), and the checkpoint it belongs to in MODEL_PATH'
    : `holds no transformer of LTX-Video (it has ${names.length} tensors: ${names.slice(0, 3).join(', ')}, …). Use one of the authors' ltxv-*.safetensors files or a folder in diffusers' layout`
  return new EngineError('unsupported_checkpoint', `${path} ${what}.`)
}

function withoutHeads(path: string): EngineError {
  const beside = `${basename(path, '.safetensors')}.json or config.json`
  return new EngineError(
    'unsupported_checkpoint',
    `${path} carries no configuration (__metadata__.config), and its tensors do not say how many attention heads it has, as they do at the published sizes. Put the configuration beside it (${beside}: the authors' form, or that of diffusers' transformer/config.json), or use one of the authors' ltxv-*.safetensors files.`,
  )
}

function unlikeVae(path: string, channels: number, vae: FoundVae): EngineError {
  return new EngineError(
    'weights_mismatch',
    `The transformer of ${path} works on latents of ${channels} channels, the VAE of ${vae.from} makes ${vae.config.latentChannels}. They belong to different models: name another VAE.`,
  )
}
