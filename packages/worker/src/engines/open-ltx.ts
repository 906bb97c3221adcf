/** Opens the engine `ltx` from a worker's options: brings the weights onto this machine where they are missing, then loads them. */

import { join } from 'node:path'
import * as z from 'zod/mini'
import { EngineError } from '../failure.ts'
import { parseLora } from '../networks/lora/index.ts'
import { hubOptionsFromEnvironment, resolveModelPath, type PullProgress } from '../weights/hub/index.ts'
import { formatBytes } from '../weights/index.ts'
import type { Engine, EngineOptions, OpenContext } from './engine.ts'
import { createLtxEngine } from './ltx/index.ts'

/** What can be said of `ltx` over the process boundary; more is in `LtxEngineOptions`, for those who open it in their own process. */
const LtxOptions = z.object({
  modelPath: z._default(z.string(), 'Lightricks/LTX-Video'),
  precision: z.optional(z.enum(['auto', 'fp32', 'fp16', 'bf16', 'int8'])),
  provider: z.optional(z.enum(['auto', 'cpu', 'cuda'])),
  recipe: z.optional(z.string()),
  keepLoaded: z.optional(z.boolean()),
  threads: z.optional(z.int()),
  cacheFolder: z.optional(z.string()),
  textEncoder: z.optional(z.string()),
  tokenizer: z.optional(z.string()),
  vae: z.optional(z.string()),
  loras: z.optional(z.array(z.string())),
  latentUpsampler: z.optional(z.string()),
  decodeMemory: z.optional(z.int()),
})

/** @throws EngineError `invalid_settings` for options that are no options; whatever the hub and the engine throw */
export async function openLtx(options: EngineOptions, { log, signal }: OpenContext): Promise<Engine> {
  const parsed = LtxOptions.safeParse(options)
  if (!parsed.success) throw new EngineError('invalid_settings', `Options of ltx: ${z.prettifyError(parsed.error)}`)
  const { modelPath, textEncoder, tokenizer, vae, latentUpsampler, loras = [], ...chosen } = parsed.data
  const hub = hubOptionsFromEnvironment(process.env)
  const path = await resolveModelPath(modelPath, {
    ...hub,
    signal,
    onLicense: log,
    onProgress: (progress) => log(describePull(modelPath, progress)),
  })
  // Where `kinora models remove` looks for int8 editions of what it removes.
  const cache = hub.cacheDir === undefined ? {} : { cacheFolder: join(hub.cacheDir, 'int8') }
  return createLtxEngine({
    modelPath: path,
    modelName: modelPath,
    parts: given({ textEncoder, tokenizer, vae, latentUpsampler }),
    loras: loras.map(parseLora),
    signal,
    log,
    ...cache,
    ...given(chosen),
  })
}

/** Without what was not said: our options are there or not, never undefined. */
function given<T extends object>(options: T): { [Key in keyof T]?: Exclude<T[Key], undefined> } {
  const said: { [Key in keyof T]?: Exclude<T[Key], undefined> } = {}
  for (const key in options) {
    const value = options[key]
    if (isSaid(value)) said[key] = value
  }
  return said
}

function isSaid<T>(value: T): value is Exclude<T, undefined> {
  return value !== undefined
}

function describePull(model: string, progress: PullProgress): string {
  const { phase, detail, bytesDone, bytesTotal } = progress
  const amount = bytesTotal > 0 ? ` ${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}` : ''
  return `${model}: ${phase}${amount}${detail === undefined ? '' : ` (${detail})`}`
}
