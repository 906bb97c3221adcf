/** LTX-Video as a pipeline: a checkpoint opened with its recipe, and requests turned into settings of its own. */

import { basename } from 'node:path'
import { seededDraws } from '../../../flow/draws.ts'
import type { ComputeType } from '../../../networks/network.ts'
import { mergeLoras, type LoraChoice, type LoraLayers } from '../../../networks/lora/index.ts'
import type { EngineRequest } from '../../engine.ts'
import { tokenCount } from '../coordinates.ts'
import { openFilming, type Filming } from '../filmed-picture.ts'
import type { PassPlan, Pipeline, PipelineOptions, Precision, PreparedVideo } from '../pipeline.ts'
import { decodeFrames } from '../vae/decode-frames.ts'
import { openCheckpoint, type Checkpoint } from './checkpoint.ts'
import { readyForDecoder } from './decode.ts'
import { generateLatents, latentSize, passSizes, type VideoSettings } from './generate.ts'
import { checkWeights, createModels, type LtxModels, type ModelOptions } from './models.ts'
import { quantizeCheckpoint } from './quantize-checkpoint.ts'
import { passSigmas, passSteps, perturbableOf, predictionCount, type GuidanceSteps, type Pass } from './recipe.ts'
import { chooseRecipe } from './recipes.ts'
import { abilitiesOf, defaultsOf, resolveVideo } from './resolve.ts'
import { renameTransformer } from './single-file.ts'
import { videoSettings } from './video-settings.ts'

const computeTypes: Readonly<Record<Precision, ComputeType>> = {
  fp32: 'float32',
  fp16: 'float16',
  bf16: 'bfloat16',
  int8: 'float32',
}

/**
 * Finds out what a checkpoint is, chooses its recipe, and makes the int8 edition if one is asked for and missing. The weights themselves are loaded at
 * the first video.
 * @throws EngineError that names what the checkpoint has and we do not know, or what is missing or broken
 */
export async function openLtxVideo(options: PipelineOptions): Promise<Pipeline> {
  const { location, provider, precision, keepLoaded, loras = [], threads, log } = options
  const plain = await openCheckpoint(location)
  for (const remark of plain.remarks) log(`ltx: ${remark}`)
  checkWeights(plain)
  const { checkpoint, beside } = await withLoras(plain, options)
  const recipe = chooseRecipe(checkpoint, options.recipe)
  const films = recipe.imageCrf > 0
  const filming: Filming = films ? await openFilming() : { reason: `the recipe ${recipe.name} does without` }
  if (films && filming.roundTrip === undefined)
    log(`ltx: pictures cannot be sent through H.264, so videos may move less: ${filming.reason}`)
  const models = await createModels(checkpoint, {
    provider,
    compute: computeTypes[precision],
    keepLoaded,
    perturbable: perturbableOf(recipe),
    onLoad: (network) => log(`ltx: loading the ${network}`),
    loras: beside,
    ...(threads !== undefined && { threads }),
    ...(precision === 'int8' && { quantized: await prepareInt8(checkpoint, options) }),
  })
  return {
    description: [`${checkpoint.name}, recipe ${recipe.name}`, ...loras.map(describeLora)].join(', '),
    provider,
    defaults: defaultsOf(recipe, checkpoint),
    abilities: abilitiesOf(checkpoint),
    resolve: (asked, picture) =>
      resolveVideo(
        {
          checkpoint,
          recipe,
          countTokens: (text) => models.countTokens(text),
          films: filming.roundTrip !== undefined,
        },
        asked,
        picture,
      ),
    prepare: (request) => prepare(models, videoSettings(checkpoint, recipe, request, filming), request, options),
    close: () => models.close(),
  }
}

async function prepareInt8(
  checkpoint: Checkpoint,
  { cacheFolder: folder, signal, log }: PipelineOptions,
): Promise<NonNullable<ModelOptions['quantized']>> {
  const report = everyTwentieth(log)
  return quantizeCheckpoint(checkpoint, {
    folder,
    signal,
    onProgress: (model, done, total) => report(`making the int8 ${model}`, done, total),
  })
}

/** The checkpoint with the LoRAs merged into its transformer, as far as they can be, and the rest of them. */
async function withLoras(
  checkpoint: Checkpoint,
  { loras = [], precision, cacheFolder: folder, signal, log }: PipelineOptions,
): Promise<{ checkpoint: Checkpoint; beside: LoraLayers }> {
  if (loras.length === 0) return { checkpoint, beside: new Map() }
  const report = everyTwentieth(log)
  const { config, tensors } = checkpoint.transformer
  const { tensors: merged, beside } = await mergeLoras(tensors, loras, {
    rename: renameTransformer,
    // int8 weights are made of what is merged.
    eightBits: precision === 'int8' ? 'bf16' : 'beside',
    folder,
    signal,
    onProgress: ({ bytesDone, bytesTotal }) =>
      report(`merging ${loras.map(describeLora).join(', ')}`, bytesDone, bytesTotal),
  })
  return { checkpoint: { ...checkpoint, transformer: { config, tensors: merged } }, beside }
}

function describeLora({ path, strength }: LoraChoice): string {
  return `LoRA ${basename(path)} x ${strength}`
}

/** A line for the log now and then, and at the end. */
function everyTwentieth(log: PipelineOptions['log']): (what: string, done: number, total: number) => void {
  let logged = 0
  return (what, done, total) => {
    if (done < total && done - logged < total / 20) return
    logged = done < total ? done : 0
    log(`ltx: ${what}: ${Math.floor((100 * done) / total)} %`)
  }
}

function prepare(
  models: LtxModels,
  settings: VideoSettings,
  request: EngineRequest,
  { decodeMemory }: Pick<PipelineOptions, 'decodeMemory'>,
): PreparedVideo {
  const { width, height } = settings
  return {
    passes: plannedPasses(models, settings),
    pixels: width * height * settings.frames,
    async *frames(hooks) {
      const draws = seededDraws(request.settings.seed)
      const latents = await generateLatents(models, settings, draws, hooks)
      hooks.onStage('decode')
      let frames = 0
      const decoder = readyForDecoder(models, latents, settings.recipe, draws)
      const decoded = decodeFrames(models, decoder.latents, decoder.noise, draws, {
        width,
        height,
        ...(decodeMemory !== undefined && { memory: decodeMemory }),
        onTile: (tile, tiles) => hooks.onDecode(tile / tiles),
      })
      for await (const frame of decoded) {
        if (frames === request.settings.num_frames) break
        frames++
        yield frame
      }
    },
  }
}

/** A step's cost grows with its tokens, and with the predictions that its guidance takes. */
function plannedPasses(models: LtxModels, settings: VideoSettings): PassPlan[] {
  const { recipe } = settings
  const sizes = passSizes(models, settings)
  const plan = (size: { width: number; height: number }, pass: Pass, guidance: GuidanceSteps) => {
    const tokens = tokenCount(latentSize(models, size, settings.frames))
    const steps = passSteps(pass)
    const predictions = predictionCount(passSigmas(pass, models.checkpoint, tokens), guidance)
    return { steps, cost: (tokens * predictions) / steps }
  }
  const first = plan(sizes.first, recipe.first, recipe.guidance)
  const { multiScale } = recipe
  if (sizes.second === undefined || multiScale === undefined) return [{ ...first, cost: 1 }]
  const second = plan(sizes.second, multiScale.second, multiScale.guidance)
  return [
    { ...first, cost: 1 },
    { ...second, cost: second.cost / first.cost },
  ]
}
