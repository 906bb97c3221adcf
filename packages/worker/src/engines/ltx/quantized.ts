/** int8 editions of the layers that bear it: made once from the checkpoint, into a cache. */

import { quantizeWeights, type Int8Weight, type TensorEntry } from '../../weights/index.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Tensors } from './parameters.ts'

/** By the name of the float weight in our graphs. */
export type QuantizedWeights = ReadonlyMap<string, Int8Weight>

/**
 * The large products inside the blocks. What feeds them (timesteps, captions, latents in and out), the norms, biases and the whole autoencoder stay
 * float32: together they are a few percent of the work, and their errors would be everybody's.
 */
const transformerLayers = /^transformer_blocks\.\d+\.(attn[12]\.to_(q|k|v|out\.0)|ff\.net\.(0\.proj|2))\.weight$/
const textEncoderLayers =
  /^encoder\.block\.\d+\.layer\.(0\.SelfAttention\.[qkvo]|1\.DenseReluDense\.(wi_0|wi_1|wo))\.weight$/

export interface QuantizeCheckpointOptions {
  /** Where int8 files are kept. */
  readonly folder: string
  readonly signal?: AbortSignal | undefined
  /** Called now and then while a file is made; not at all where it is there already. */
  readonly onProgress?:
    | ((model: 'transformer' | 'text encoder', bytesDone: number, bytesTotal: number) => void)
    | undefined
}

/**
 * @throws WeightsError `disk_full` before anything is written, and as `quantizeWeights` says
 */
export async function quantizeCheckpoint(
  { transformer, textEncoder }: Pick<Checkpoint, 'transformer' | 'textEncoder'>,
  options: QuantizeCheckpointOptions,
): Promise<{ transformer: QuantizedWeights; textEncoder: QuantizedWeights }> {
  return {
    textEncoder: await quantize('text encoder', textEncoder.tensors, textEncoderLayers, options),
    transformer: await quantize('transformer', transformer.tensors, transformerLayers, options),
  }
}

async function quantize(
  model: 'transformer' | 'text encoder',
  tensors: Tensors,
  layers: RegExp,
  { folder, signal, onProgress }: QuantizeCheckpointOptions,
): Promise<QuantizedWeights> {
  // A single file's entries carry the authors' names: in the cache, as in our graphs, a layer has one name.
  const chosen: TensorEntry[] = [...tensors]
    .filter(([name]) => layers.test(name))
    .map(([name, entry]) => ({ ...entry, name }))
  const report =
    onProgress &&
    (({ bytesDone, bytesTotal }: { bytesDone: number; bytesTotal: number }) => onProgress(model, bytesDone, bytesTotal))
  return quantizeWeights({ tensors: chosen, folder, signal, ...(report && { onProgress: report }) })
}
