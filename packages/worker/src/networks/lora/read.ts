/**
 * Reads LoRA files: for a layer with the weight W `[outputs, inputs]`, two thin matrices whose product is added to it. (Hu et al., arXiv 2106.09685)
 * They are called `lora_A` and `lora_B` by peft and diffusers, `lora_down` and `lora_up` by others, and their layers have the prefixes of many tools.
 */

import { basename } from 'node:path'
import { EngineError } from '../../failure.ts'
import { readSafetensors, readTensor, type TensorEntry, type Weights } from '../../weights/index.ts'
import type { Tensors } from '../tensors.ts'
import { parseLora, type LoraChoice } from './choice.ts'
import type { LoraLayer } from './layer.ts'

/** What tools put before the names of a transformer's layers. */
const prefixes = [
  '',
  'transformer.',
  'diffusion_model.',
  'model.diffusion_model.',
  'base_model.model.',
  'base_model.model.transformer.',
  'base_model.model.diffusion_model.',
]
/** The same in files whose names have underscores for dots. */
const flatPrefixes = ['lora_unet_', 'lora_transformer_', 'lora_']

const key = /^(?<layer>.+?)\.(?:lora_(?<half>A|B|down|up)(?:\.default)?(?:\.weight)?|(?<alpha>alpha))$/

/**
 * @param targets the weights that may be changed, under the names that our graphs use
 * @param rename a name of the authors' as our graphs use it
 * @returns by the weight's name
 * @throws EngineError `lora_mismatch` that names what fits nothing; WeightsError for a broken file
 */
export async function readLora(
  { path, strength }: LoraChoice,
  targets: Tensors,
  rename: (name: string) => string,
): Promise<ReadonlyMap<string, LoraLayer>> {
  const weights = await readSafetensors(path)
  const find = finder(targets, rename)
  const found = new Map<string, { down?: TensorEntry; up?: TensorEntry; alpha?: TensorEntry }>()
  const strangers: string[] = []
  for (const [name, entry] of weights.tensors) {
    const { layer, half } = key.exec(name)?.groups ?? {}
    const target = layer === undefined ? undefined : find(layer)
    if (target === undefined) strangers.push(name)
    else {
      const role = half === undefined ? 'alpha' : half === 'A' || half === 'down' ? 'down' : 'up'
      found.set(target, { ...found.get(target), [role]: entry })
    }
  }
  if (strangers.length > 0) throw fitsNothing(path, strangers, weights)
  const said = savedAlpha(path, weights)
  const layers = new Map<string, LoraLayer>()
  for (const [target, { down, up, alpha }] of found) {
    if (down === undefined || up === undefined) throw mismatch(path, `has only one half for ${target}`)
    const rank = checkShapes(path, target, targets.get(target)?.shape ?? [], down, up)
    const known = alpha === undefined ? said?.alpha : (await readTensor(alpha))[0]
    const divisor = said?.byRoot === true ? Math.sqrt(rank) : rank
    layers.set(target, { down, up, factor: strength * ((known ?? rank) / divisor) })
  }
  if (layers.size === 0) throw mismatch(path, 'holds no LoRA at all')
  return layers
}

/**
 * What a LoRA file holds, without a checkpoint to compare it with: for `kinora doctor`.
 * @param text as {@link parseLora} reads it
 * @returns `style.safetensors x 0.8: 240 layers of rank 16`
 * @throws EngineError `invalid_settings`, `lora_mismatch`; WeightsError for a broken file
 */
export async function describeLora(text: string): Promise<string> {
  const { path, strength } = parseLora(text)
  const { tensors } = await readSafetensors(path)
  const downs = [...tensors].filter(([name]) => /\.lora_(A|down)\./.test(name))
  if (downs.length === 0) throw mismatch(path, 'holds no LoRA at all')
  const ranks = [...new Set(downs.map(([, { shape }]) => shape[0]))].join(', ')
  return `${basename(path)} x ${strength}: ${downs.length} layers of rank ${ranks}`
}

/** The weight that a layer's name in a LoRA means. */
function finder(targets: Tensors, rename: (name: string) => string): (layer: string) => string | undefined {
  const flat = new Map([...targets.keys()].map((name) => [name.replaceAll('.', '_'), name]))
  return (layer) => {
    for (const prefix of prefixes) {
      const name = layer.startsWith(prefix) ? rename(`${layer.slice(prefix.length)}.weight`) : ''
      if (targets.has(name)) return name
    }
    for (const prefix of flatPrefixes) {
      const name = layer.startsWith(prefix) ? flat.get(`${layer.slice(prefix.length)}_weight`) : undefined
      if (name !== undefined) return name
    }
    return undefined
  }
}

/** @returns the rank */
function checkShapes(
  path: string,
  target: string,
  weight: readonly number[],
  down: TensorEntry,
  up: TensorEntry,
): number {
  const [rank = 0, inputs] = down.shape
  const [outputs, rankToo] = up.shape
  const fits =
    weight.length === 2 &&
    down.shape.length === 2 &&
    up.shape.length === 2 &&
    rank === rankToo &&
    rank > 0 &&
    outputs === weight[0] &&
    inputs === weight[1]
  if (fits) return rank
  const list = (shape: readonly number[]) => `[${shape.join(', ')}]`
  throw mismatch(
    path,
    `changes ${target} by ${list(up.shape)} x ${list(down.shape)}, but the checkpoint's is ${list(weight)}`,
  )
}

/** What diffusers writes into the header where it keeps no `alpha` for each layer. */
function savedAlpha(path: string, { metadata }: Weights): { alpha: number | undefined; byRoot: boolean } | undefined {
  const text = metadata['lora_adapter_metadata']
  if (text === undefined) return undefined
  let values: Record<string, unknown>
  try {
    values = { ...(JSON.parse(text) as unknown as object) }
  } catch (cause) {
    throw mismatch(path, 'has a lora_adapter_metadata that is not valid JSON', cause)
  }
  const value = (name: string) => values[`transformer.${name}`] ?? values[name]
  const patterns = ['alpha_pattern', 'rank_pattern'].filter((name) => Object.keys(value(name) ?? {}).length > 0)
  if (patterns.length > 0) throw mismatch(path, `has a ${patterns.join(' and a ')}, which Kinora does not know`)
  const alpha = value('lora_alpha')
  return { alpha: typeof alpha === 'number' ? alpha : undefined, byRoot: value('use_rslora') === true }
}

function fitsNothing(path: string, names: readonly string[], { tensors }: Weights): EngineError {
  const some = names.slice(0, 3).join(', ') + (names.length > 3 ? ', …' : '')
  return mismatch(path, `has ${names.length} of ${tensors.size} tensors that fit nothing in this checkpoint (${some})`)
}

function mismatch(path: string, problem: string, cause?: unknown): EngineError {
  return new EngineError(
    'lora_mismatch',
    `The LoRA ${basename(path)} ${problem}. It was made for another model, or by a method that Kinora does not merge: use one whose layers are lora_A/lora_B (or lora_down/lora_up) of this checkpoint's linear layers. (${path})`,
    { cause },
  )
}
