/** The `ltx` engine: a checkpoint, ready to turn pictures into videos. */

import { homedir } from 'node:os'
import { basename, isAbsolute, join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { EngineError } from '../../failure.ts'
import { seededDraws } from '../../flow/draws.ts'
import type { ComputeType } from '../../networks/parameters.ts'
import { detectProvider, type Provider } from '../../onnx/index.ts'
import { WeightsError } from '../../weights/index.ts'
import type { Engine, EngineContext, EngineRequest, ResolvedSettings } from '../engine.ts'
import { tokenCount } from './coordinates.ts'
import { openCheckpoint, type Checkpoint, type CheckpointLocation } from './ltx-video/checkpoint.ts'
import { generateLatents, latentSize, passSizes, type VideoSettings } from './ltx-video/generate.ts'
import { checkWeights, createModels, type LtxModels, type ModelOptions } from './ltx-video/models.ts'
import { quantizeCheckpoint } from './ltx-video/quantize-checkpoint.ts'
import { needsNegativePrompt, passSteps, type Recipe } from './ltx-video/recipe.ts'
import { chooseRecipe } from './ltx-video/recipes.ts'
import { coverPicture, pictureToPixels, pixelsToFrames, resizePixels } from './picture.ts'
import { Progress, about } from './progress.ts'
import { decodeVideo, type DecodeOptions } from './vae/decode-video.ts'

/** The numbers that products and convolutions are computed in. `int8` is for CPUs, and for the large layers only. */
export type Precision = 'fp32' | 'fp16' | 'bf16' | 'int8'

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
  /** Folder for int8 editions. @default ~/.cache/kinora/int8 */
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

const computeTypes: Readonly<Record<Precision, ComputeType>> = {
  fp32: 'float32',
  fp16: 'float16',
  bf16: 'bfloat16',
  int8: 'float32',
}

/**
 * Opens a checkpoint: finds out what it is, chooses provider, precision and recipe, and makes the int8 edition if one is asked for and missing. The
 * weights themselves are loaded at the first job.
 * @throws EngineError that names what the checkpoint has and the engine does not know, or what is missing or broken
 */
export async function createLtxEngine(options: LtxEngineOptions): Promise<Engine> {
  const { log = () => {} } = options
  try {
    const checkpoint = await openCheckpoint({
      ...options.parts,
      path: options.modelPath,
      ...(options.modelName !== undefined && { name: shortName(options.modelName) }),
    })
    checkWeights(checkpoint)
    const recipe = chooseRecipe(checkpoint, options.recipe)
    const { provider, reason } = await chooseProvider(options.provider ?? 'auto')
    const precision = choosePrecision(options.precision ?? 'auto', provider)
    log(`ltx: ${checkpoint.name}, recipe ${recipe.name}, ${precision} on ${provider} (${reason})`)
    const models = await createModels(checkpoint, {
      provider,
      compute: computeTypes[precision],
      keepLoaded: options.keepLoaded ?? false,
      ...(options.threads !== undefined && { threads: options.threads }),
      ...(precision === 'int8' && { quantized: await prepareInt8(checkpoint, options, log) }),
    })
    return engineOf(models, recipe, options)
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

async function prepareInt8(
  checkpoint: Checkpoint,
  options: LtxEngineOptions,
  log: (line: string) => void,
): Promise<NonNullable<ModelOptions['quantized']>> {
  const folder = options.cacheFolder ?? join(homedir(), '.cache', 'kinora', 'int8')
  let logged = 0
  return quantizeCheckpoint(checkpoint, {
    folder,
    signal: options.signal,
    onProgress(model, done, total) {
      if (done < total && done - logged < total / 20) return
      logged = done < total ? done : 0
      log(`ltx: making the int8 ${model}: ${Math.floor((100 * done) / total)} %`)
    },
  })
}

function engineOf(models: LtxModels, recipe: Recipe, options: LtxEngineOptions): Engine {
  const { log = () => {}, now = () => performance.now() } = options
  /** Seconds of decoding for each pixel of a video, once known. */
  let decodePace: number | undefined
  return {
    name: 'ltx',
    provider: models.provider,
    defaults: defaultsOf(recipe),
    async *generate(request, context) {
      const settings = videoSettings(models, recipe, request)
      const pixels = settings.width * settings.height * settings.frames
      const progress = new Progress(
        {
          passes: plannedPasses(models, settings),
          decodeSeconds: decodePace === undefined ? undefined : decodePace * pixels,
        },
        { now, report: (fraction, detail) => context.progress(fraction, detail) },
      )
      const draws = seededDraws(request.settings.seed)
      const started = now()
      try {
        const latents = await generateLatents(models, settings, draws, {
          onStage: (stage) => progress.stage(stage),
          beforeStep: () => breathe(context).then(() => progress.stepBegins()),
          afterStep: (step, pass) => progress.stepEnds(step, pass),
        })
        await breathe(context)
        progress.stage('decode')
        const decodeStarted = now()
        const decode: DecodeOptions = {
          ...(options.decodeMemory !== undefined && { memory: options.decodeMemory }),
          onTile: (tile, tiles) => breathe(context).then(() => progress.decoding(tile / tiles)),
        }
        let frames = 0
        for await (const chunk of decodeVideo(models, latents, settings.recipe, draws, decode)) {
          for (const frame of pixelsToFrames(resizePixels(chunk, settings.width, settings.height))) {
            if (frames === request.settings.num_frames) break
            frames++
            yield frame
          }
        }
        decodePace = (now() - decodeStarted) / 1000 / pixels
        log(`ltx: ${settings.width}x${settings.height}, ${frames} frames in ${about((now() - started) / 1000)}`)
        progress.decoding(1)
      } catch (error) {
        throw explained(error)
      }
    },
    close: () => models.close(),
  }
}

/** Lets messages in (a run blocks the thread, so a cancel waits here) and stops where one was a cancel. */
async function breathe({ signal }: EngineContext): Promise<void> {
  await setImmediate()
  signal.throwIfAborted()
}

function defaultsOf(recipe: Recipe): Engine['defaults'] {
  const { guidance } = recipe
  return {
    steps: passSteps(recipe.first),
    ...(guidance.length === 1 && { guidance_scale: guidance[0].scale }),
    ...(needsNegativePrompt(guidance) && { negative_prompt: recipe.negativePrompt }),
  }
}

function videoSettings(models: LtxModels, recipe: Recipe, { picture, settings }: EngineRequest): VideoSettings {
  const { time, space } = models.checkpoint.vae.config.compression
  if (settings.width % space !== 0 || settings.height % space !== 0) {
    throw new EngineError(
      'invalid_settings',
      `${settings.width}x${settings.height} is not made of multiples of ${space}. Ask for such a size.`,
    )
  }
  return {
    prompt: settings.prompt,
    negativePrompt: settings.negative_prompt ?? recipe.negativePrompt,
    pictures: [{ at: (width, height) => pictureToPixels(coverPicture(picture, width, height)) }],
    width: settings.width,
    height: settings.height,
    frames: Math.ceil((settings.num_frames - 1) / time) * time + 1,
    framesPerSecond: settings.fps,
    recipe: adjusted(recipe, settings),
  }
}

/** The recipe with what the request says. A distilled model's sigmas are its own: there, steps are not asked for. */
function adjusted(recipe: Recipe, { steps, guidance_scale: scale }: ResolvedSettings): Recipe {
  const asked = 'steps' in recipe.first && steps !== undefined && steps !== passSteps(recipe.first)
  const first = asked ? { steps } : recipe.first
  if (scale === undefined) return { ...recipe, first }
  const rescale = recipe.guidance.length > 1 ? 0.7 : recipe.guidance[0].rescale
  return { ...recipe, first, guidance: [{ from: 1, scale, rescale }] }
}

/** A step's cost grows with its tokens. */
function plannedPasses(models: LtxModels, settings: VideoSettings): { steps: number; cost: number }[] {
  const { first, second } = passSizes(models, settings)
  const tokens = (size: { width: number; height: number }) => tokenCount(latentSize(models, size, settings.frames))
  const passes = [{ steps: passSteps(settings.recipe.first), cost: 1 }]
  const { multiScale } = settings.recipe
  if (second !== undefined && multiScale !== undefined)
    passes.push({ steps: passSteps(multiScale.second), cost: tokens(second) / tokens(first) })
  return passes
}

function explained(error: unknown): unknown {
  if (error instanceof WeightsError)
    return new EngineError(error.code === 'disk_full' ? 'disk_full' : 'model_broken', error.message, { cause: error })
  return error
}
