/** Adds LoRAs to a model's weights: what changes is written into a file of its own, once; everything else is used where it lies. */

import { float32Output, graph, openSession } from '../../onnx/index.ts'
import {
  derivedFile,
  float32ToBfloat16,
  float32ToFloat16,
  readSafetensors,
  type DerivedOptions,
  type TensorEntry,
} from '../../weights/index.ts'
import type { GraphOptions } from '../network.ts'
import { Parameters } from '../parameters.ts'
import type { Tensors } from '../tensors.ts'
import type { LoraChoice } from './choice.ts'
import type { LoraLayer, LoraLayers } from './layer.ts'
import { readLora } from './read.ts'

export interface MergeOptions extends DerivedOptions, Pick<GraphOptions, 'missingScale'> {
  /** A name of the authors' as our graphs use it. @default the same */
  readonly rename?: (name: string) => string
  /**
   * What becomes of weights of 8 bits, whose steps would swallow the changes: they stay as they are and the LoRA is computed beside them, or the sum
   * becomes bf16. @default 'beside'
   */
  readonly eightBits?: 'beside' | 'bf16'
}

export interface MergedLoras {
  /** The model's tensors; the entries of changed weights lie in a file of the cache. */
  readonly tensors: Tensors
  /** What is to be computed beside its weights. */
  readonly beside: LoraLayers
}

/**
 * A model with every LoRA added: W + Σ strength · alpha / rank · up · down, computed in float32 and rounded to the weight's own format.
 * @throws EngineError `lora_mismatch`; WeightsError `disk_full` and for broken files
 */
export async function mergeLoras(
  tensors: Tensors,
  loras: readonly LoraChoice[],
  { rename = (name) => name, missingScale, eightBits = 'beside', ...options }: MergeOptions,
): Promise<MergedLoras> {
  const changes = new Map<string, LoraLayer[]>()
  for (const lora of loras)
    for (const [name, layer] of await readLora(lora, tensors, rename))
      changes.set(name, [...(changes.get(name) ?? []), layer])
  const stays = (name: string) => eightBits === 'beside' && tensors.get(name)?.dtype.startsWith('F8_') === true
  const beside = new Map([...changes].filter(([name]) => stays(name)))
  const changed = [...changes].flatMap(([name, layers]) => {
    const weight = tensors.get(name)
    return weight === undefined || beside.has(name) ? [] : [{ name, weight, layers }]
  })
  if (changed.length === 0) return { tensors, beside }
  const file = await derivedFile(
    {
      format: 'kinora-merged-1',
      from: changed.flatMap(({ name, weight, layers }) => [
        { ...weight, name },
        ...layers.flatMap(({ down, up }) => [down, up]),
      ]),
      by: JSON.stringify(changed.map(({ layers }) => layers.map(({ factor }) => factor))),
      parts: changed.map(({ name, weight, layers }) => {
        const dtype = mergedFormat(weight)
        return {
          tensors: [{ name, dtype, shape: weight.shape }],
          make: async () => [rounded(await merge(tensors, name, weight.shape, layers, missingScale), dtype)],
        }
      }),
    },
    options,
  )
  return { tensors: new Map([...tensors, ...(await readSafetensors(file)).tensors]), beside }
}

/** W + Σ factor · up · down in float32. */
async function merge(
  tensors: Tensors,
  name: string,
  shape: readonly number[],
  layers: readonly LoraLayer[],
  missingScale: GraphOptions['missingScale'],
): Promise<Float32Array> {
  const g = graph('merge')
  const options = { compute: 'float32', ...(missingScale && { missingScale }) } as const
  let merged = new Parameters(g, tensors, options).tensor(name, shape)
  for (const [index, { down, up, factor }] of layers.entries()) {
    const halves = new Map([
      [`lora.${index}.down`, down],
      [`lora.${index}.up`, up],
    ])
    const p = new Parameters(g, halves, options)
    const product = g.matMul(p.tensor(`lora.${index}.up`, up.shape), p.tensor(`lora.${index}.down`, down.shape))
    merged = g.add(merged, g.mul(product, g.scalar('float32', factor)))
  }
  g.output('merged', merged)
  const session = await openSession(g.encode(), { weightsStayInFiles: true })
  try {
    return float32Output(await session.run({}), 'merged').data
  } finally {
    await session.close()
  }
}

function mergedFormat({ dtype }: TensorEntry): 'F32' | 'F16' | 'BF16' {
  return dtype === 'F32' || dtype === 'F16' ? dtype : 'BF16'
}

function rounded(values: Float32Array, dtype: 'F32' | 'F16' | 'BF16'): Uint8Array {
  const numbers = dtype === 'F32' ? values : dtype === 'F16' ? float32ToFloat16(values) : float32ToBfloat16(values)
  return new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength)
}
