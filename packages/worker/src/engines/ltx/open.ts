/** Which family of LTX models is it? Each opens its own checkpoints. */

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { EngineError } from '../../failure.ts'
import { parseFields, readFields } from '../../weights/config-fields.ts'
import { readSafetensors } from '../../weights/index.ts'
import { openLtxVideo } from './ltx-video/open.ts'
import type { Pipeline, PipelineOptions } from './pipeline.ts'

type Family = 'ltx-video' | 'ltx-2'

/**
 * By what the checkpoint says of itself: the pipeline that model_index.json names, or the transformer in the authors' own file. What says nothing is taken
 * for the older family, which then says what it misses.
 * @param path a folder in diffusers' layout, or a .safetensors file
 */
export async function familyOf(path: string): Promise<Family> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) return 'ltx-video'
  if (found.isDirectory()) {
    const index = join(path, 'model_index.json')
    const known = await stat(index).then(
      () => true,
      () => false,
    )
    return known && (await readFields(index)).string('_class_name').startsWith('LTX2') ? 'ltx-2' : 'ltx-video'
  }
  const config = (await readSafetensors(path)).metadata['config']
  if (config === undefined) return 'ltx-video'
  const fields = parseFields(`${path}: __metadata__.config`, config)
  const transformer = fields.has('transformer') ? fields.fields('transformer').string('_class_name', '') : ''
  return transformer === 'AVTransformer3DModel' ? 'ltx-2' : 'ltx-video'
}

/** @throws EngineError `unsupported_checkpoint` for a family that cannot run yet; what the family's own opening throws */
export async function openPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { path } = options.location
  const family = await familyOf(path)
  if (family === 'ltx-video') return openLtxVideo(options)
  throw new EngineError(
    'unsupported_checkpoint',
    `${path} is an LTX-2 checkpoint, which is not supported yet. The ltx engine runs LTX-Video 0.9.x.`,
  )
}
