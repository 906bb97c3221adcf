/** The `ltx` engine: a checkpoint of any LTX family, ready to turn pictures into videos. */

import { homedir } from 'node:os'
import { basename, isAbsolute, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { EngineError } from '../../failure.ts'
import type { LoraChoice } from '../../networks/lora/index.ts'
import { detectProvider, type Provider } from '../../onnx/index.ts'
import { WeightsError } from '../../weights/index.ts'
import type { Engine, EngineContext } from '../engine.ts'
import { openPipeline } from './open.ts'
import type { CheckpointLocation, Pipeline, Precision } from './pipeline.ts'
import { Progress, about } from './progress.ts'

export interface LtxEngineOptions {
  /** A folder in diffusers' layout, or one of the authors' .safetensors files. */
  readonly modelPath: string
  /** Folders beside it, if they are elsewhere. @default found beside the model */
  readonly parts?: Omit<CheckpointLocation, 'path' | 'name'>
  /** Hub id, by which a recipe is found. @default the folder's or file's name */
  readonly modelName?: string
  /** @default 'auto': fp32 on CPU, bf16 on CUDA */
  readonly precision?: Precision | 'auto'
  /** @default 'auto': CUDA where it really runs, else CPU */
  readonly provider?: Provider | 'auto'
  /** One of `recipes`. @default the one that fits the checkpoint */
  readonly recipe?: string
  /** Keeps text encoder, transformer and autoencoder in memory between jobs and stages. @default false: one at a time */
  readonly keepLoaded?: boolean
  /** LoRAs that are added to the transformer: files with their strengths. @default none */
  readonly loras?: readonly LoraChoice[]
  /** Folder for int8 editions and merged weights. @default ~/.cache/kinora/int8 */
  readonly cacheFolder?: string
  /** Bytes that decoding may take at once; above, it works in tiles. @default 6 GiB on CPU, 10 GiB on CUDA */
  readonly decodeMemory?: number
  /** CPU threads. @default ONNX Runtime's own choice */
  readonly threads?: number
  /** Stops loading. */
  readonly signal?: AbortSignal
  /** Lines for the log. @default nowhere */
  readonly log?: (line: string) => void
  /** Milliseconds. @default performance.now */
  readonly now?: () => number
}

/**
 * Chooses provider and precision and opens the checkpoint.
 * @throws EngineError that names what the checkpoint has and the engine does not know, or what is missing or broken
 */
export async function createLtxEngine(options: LtxEngineOptions): Promise<Engine> {
  const { log = () => {}, loras, recipe, decodeMemory, threads, signal } = options
  try {
    const { provider, reason } = await chooseProvider(options.provider ?? 'auto')
    const precision = choosePrecision(options.precision ?? 'auto', provider)
    const pipeline = await openPipeline({
      location: {
        ...options.parts,
        path: options.modelPath,
        ...(options.modelName !== undefined && { name: shortName(options.modelName) }),
      },
      provider,
      precision,
      keepLoaded: options.keepLoaded ?? false,
      cacheFolder: options.cacheFolder ?? join(homedir(), '.cache', 'kinora', 'int8'),
      log,
      ...(loras !== undefined && { loras }),
      ...(recipe !== undefined && { recipe }),
      ...(decodeMemory !== undefined && { decodeMemory }),
      ...(threads !== undefined && { threads }),
      ...(signal !== undefined && { signal }),
    })
    log(`ltx: ${pipeline.description}, ${precision} on ${provider} (${reason})`)
    return engineOf(pipeline, options)
  } catch (error) {
    throw explained(error)
  }
}

/** A path says too much to choose a recipe by: `/home/13b/models/x`. A hub id has nothing to spare. */
function shortName(name: string): string {
  return isAbsolute(name) || name.startsWith('.') ? basename(name) : name
}

async function chooseProvider(asked: Provider | 'auto'): Promise<{ provider: Provider; reason: string }> {
  if (asked === 'cpu') return { provider: 'cpu', reason: 'as asked' }
  const found = await detectProvider()
  if (asked === 'auto' || found.provider === 'cuda') return found
  throw new EngineError(
    'no_cuda',
    `CUDA was asked for, but ${found.reason}. Install the CUDA libraries that docs/ltx.md names, or leave the provider to the engine.`,
  )
}

function choosePrecision(asked: Precision | 'auto', provider: Provider): Precision {
  if (asked === 'auto') return provider === 'cuda' ? 'bf16' : 'fp32'
  if (provider === 'cuda' && asked === 'int8')
    throw new EngineError('unsupported_precision', 'int8 is for CPUs. On CUDA use bf16 or fp16.')
  if (provider === 'cpu' && asked === 'bf16') {
    throw new EngineError(
      'unsupported_precision',
      'ONNX Runtime computes no bf16 on CPUs. Use fp32, or int8 for speed; bf16 files are read either way.',
    )
  }
  return asked
}

function engineOf(pipeline: Pipeline, options: LtxEngineOptions): Engine {
  const { log = () => {}, now = () => performance.now() } = options
  /** Seconds of decoding for each pixel of a video, once known. */
  let decodePace: number | undefined
  return {
    name: 'ltx',
    provider: pipeline.provider,
    defaults: pipeline.defaults,
    abilities: pipeline.abilities,
    resolve: (asked, picture) => pipeline.resolve(asked, picture),
    async *generate(request, context) {
      const { width, height, num_frames } = request.settings
      const video = pipeline.prepare(request)
      const progress = new Progress(
        {
          passes: video.passes,
          decodeSeconds: decodePace === undefined ? undefined : decodePace * video.pixels,
        },
        { now, report: (fraction, detail) => context.progress(fraction, detail) },
      )
      const started = now()
      let decodeStarted = started
      try {
        yield* video.frames({
          onStage(stage) {
            if (stage === 'decode') decodeStarted = now()
            progress.stage(stage)
          },
          beforeStep: () => breathe(context).then(() => progress.stepBegins()),
          afterStep: (step, pass) => progress.stepEnds(step, pass),
          onDecode: (part) => breathe(context).then(() => progress.decoding(part)),
        })
        decodePace = (now() - decodeStarted) / 1000 / video.pixels
        log(`ltx: ${width}x${height}, ${num_frames} frames in ${about((now() - started) / 1000)}`)
        progress.decoding(1)
      } catch (error) {
        throw explained(error)
      }
    },
    close: () => pipeline.close(),
  }
}

/** Lets messages in (a run blocks the thread, so a cancel waits here) and stops where one was a cancel. */
async function breathe({ signal }: EngineContext): Promise<void> {
  await setImmediate()
  signal.throwIfAborted()
}

function explained(error: unknown): unknown {
  if (error instanceof WeightsError)
    return new EngineError(error.code === 'disk_full' ? 'disk_full' : 'model_broken', error.message, { cause: error })
  return error
}
