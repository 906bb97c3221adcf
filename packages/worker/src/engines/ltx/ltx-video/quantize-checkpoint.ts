/** int8 editions of the layers that bear it: made once from the checkpoint, into a cache. */

import { quantizeLayers, type QuantizedWeights } from '../../../networks/int8.ts'
import { t5Int8Layers } from '../../../text/t5/encoder.ts'
import type { Checkpoint } from './checkpoint.ts'

/**
 * The large products inside the blocks. What feeds them (timesteps, captions, latents in and out), the norms, biases and the whole autoencoder stay
 * float32: together they are a few percent of the work, and their errors would be everybody's.
 */
const transformerLayers = /^transformer_blocks\.\d+\.(attn[12]\.to_(q|k|v|out\.0)|ff\.net\.(0\.proj|2))\.weight$/

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
  { folder, signal, onProgress }: QuantizeCheckpointOptions,
): Promise<{ transformer: QuantizedWeights; textEncoder: QuantizedWeights }> {
  const report = (model: 'transformer' | 'text encoder') =>
    onProgress && ((done: number, total: number) => onProgress(model, done, total))
  return {
    textEncoder: await quantizeLayers(textEncoder.tensors, t5Int8Layers, {
      folder,
      signal,
      onProgress: report('text encoder'),
    }),
    transformer: await quantizeLayers(transformer.tensors, transformerLayers, {
      folder,
      signal,
      onProgress: report('transformer'),
    }),
  }
}
