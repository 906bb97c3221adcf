/** LTX-Video as a pipeline: a checkpoint opened with its recipe, and requests turned into settings of its own. */

import { EngineError } from '../../../failure.ts'
import { seededDraws } from '../../../flow/draws.ts'
import type { ComputeType } from '../../../networks/parameters.ts'
import type { Engine, EngineRequest, ResolvedSettings } from '../../engine.ts'
import { tokenCount } from '../coordinates.ts'
import { coverPicture, pictureToPixels, pixelsToFrames, resizePixels } from '../picture.ts'
import type { PassPlan, Pipeline, PipelineOptions, Precision, PreparedVideo } from '../pipeline.ts'
import { decodeVideo } from '../vae/decode-video.ts'
import { openCheckpoint, type Checkpoint } from './checkpoint.ts'
import { generateLatents, latentSize, passSizes, type VideoSettings } from './generate.ts'
import { checkWeights, createModels, type LtxModels, type ModelOptions } from './models.ts'
import { quantizeCheckpoint } from './quantize-checkpoint.ts'
import { needsNegativePrompt, passSteps, type Recipe } from './recipe.ts'
import { chooseRecipe } from './recipes.ts'

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
  const { location, provider, precision, keepLoaded, threads } = options
  const checkpoint = await openCheckpoint(location)
  checkWeights(checkpoint)
  const recipe = chooseRecipe(checkpoint, options.recipe)
  const models = await createModels(checkpoint, {
    provider,
    compute: computeTypes[precision],
    keepLoaded,
    ...(threads !== undefined && { threads }),
    ...(precision === 'int8' && { quantized: await prepareInt8(checkpoint, options) }),
  })
  return {
    description: `${checkpoint.name}, recipe ${recipe.name}`,
    provider,
    defaults: defaultsOf(recipe),
    prepare: (request) => prepare(models, recipe, request, options),
    close: () => models.close(),
  }
}

async function prepareInt8(
  checkpoint: Checkpoint,
  { cacheFolder: folder, signal, log }: PipelineOptions,
): Promise<NonNullable<ModelOptions['quantized']>> {
  let logged = 0
  return quantizeCheckpoint(checkpoint, {
    folder,
    signal,
    onProgress(model, done, total) {
      if (done < total && done - logged < total / 20) return
      logged = done < total ? done : 0
      log(`ltx: making the int8 ${model}: ${Math.floor((100 * done) / total)} %`)
    },
  })
}

function prepare(
  models: LtxModels,
  recipe: Recipe,
  request: EngineRequest,
  { decodeMemory }: Pick<PipelineOptions, 'decodeMemory'>,
): PreparedVideo {
  const settings = videoSettings(models, recipe, request)
  const { width, height } = settings
  return {
    passes: plannedPasses(models, settings),
    pixels: width * height * settings.frames,
    async *frames(hooks) {
      const draws = seededDraws(request.settings.seed)
      const latents = await generateLatents(models, settings, draws, hooks)
      hooks.onStage('decode')
      let frames = 0
      const chunks = decodeVideo(models, latents, settings.recipe, draws, {
        ...(decodeMemory !== undefined && { memory: decodeMemory }),
        onTile: (tile, tiles) => hooks.onDecode(tile / tiles),
      })
      for await (const chunk of chunks) {
        for (const frame of pixelsToFrames(resizePixels(chunk, width, height))) {
          if (frames === request.settings.num_frames) break
          frames++
          yield frame
        }
      }
    },
  }
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
function plannedPasses(models: LtxModels, settings: VideoSettings): PassPlan[] {
  const { first, second } = passSizes(models, settings)
  const tokens = (size: { width: number; height: number }) => tokenCount(latentSize(models, size, settings.frames))
  const passes = [{ steps: passSteps(settings.recipe.first), cost: 1 }]
  const { multiScale } = settings.recipe
  if (second !== undefined && multiScale !== undefined)
    passes.push({ steps: passSteps(multiScale.second), cost: tokens(second) / tokens(first) })
  return passes
}
