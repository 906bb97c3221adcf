/** Opens the engine `ltx` from a worker's options: brings the weights onto this machine where they are missing, then loads them. */

import * as z from 'zod/mini'
import { formatBytes } from '../weights/index.ts'
import { hubOptionsFromEnvironment, resolveModelPath, type PullProgress } from '../weights/hub/index.ts'
import { EngineError, type Engine } from './engine.ts'
import { createLtxEngine } from './ltx/index.ts'
import type { EngineOptions, OpenContext } from './open-engine.ts'

/** What can be said of `ltx` over the process boundary; more is in `LtxEngineOptions`, for those who open it in their own process. */
const LtxOptions = z.object({
  modelPath: z._default(z.string(), 'Lightricks/LTX-Video'),
  precision: z.optional(z.enum(['auto', 'fp32', 'fp16', 'bf16', 'int8'])),
  provider: z.optional(z.enum(['auto', 'cpu', 'cuda'])),
  recipe: z.optional(z.string()),
  keepLoaded: z.optional(z.boolean()),
  threads: z.optional(z.int()),
  cacheFolder: z.optional(z.string()),
})

/** @throws EngineError `invalid_settings` for options that are no options; whatever the hub and the engine throw */
export async function openLtx(options: EngineOptions, { log, signal }: OpenContext): Promise<Engine> {
  const parsed = LtxOptions.safeParse(options)
  if (!parsed.success) throw new EngineError('invalid_settings', `Options of ltx: ${z.prettifyError(parsed.error)}`)
  const { modelPath, precision, provider, recipe, keepLoaded, threads, cacheFolder } = parsed.data
  const path = await resolveModelPath(modelPath, {
    ...hubOptionsFromEnvironment(process.env),
    signal,
    onLicense: log,
    onProgress: (progress) => log(describePull(modelPath, progress)),
  })
  return createLtxEngine({
    modelPath: path,
    modelName: modelPath,
    signal,
    log,
    ...(precision !== undefined && { precision }),
    ...(provider !== undefined && { provider }),
    ...(recipe !== undefined && { recipe }),
    ...(keepLoaded !== undefined && { keepLoaded }),
    ...(threads !== undefined && { threads }),
    ...(cacheFolder !== undefined && { cacheFolder }),
  })
}

function describePull(model: string, progress: PullProgress): string {
  const { phase, detail, bytesDone, bytesTotal } = progress
  const amount = bytesTotal > 0 ? ` ${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}` : ''
  return `${model}: ${phase}${amount}${detail === undefined ? '' : ` (${detail})`}`
}
