/** Compares a case piece by piece, then as a whole: from the recorded draws, and from the seed alone. */

import { seededDraws, type Draws } from '../../../flow/draws.ts'
import { resizePicture } from '../../../media/lanczos.ts'
import { float32Tensor, matrixSizes, videoSizes, type Float32Tensor } from '../../../onnx/index.ts'
import { loadTokenizer } from '../../../text/t5/tokenizer.ts'
import { gridCoordinates, tokenCount, type Coordinates } from '../coordinates.ts'
import { readyForDecoder } from '../ltx-video/decode.ts'
import { generateLatents, latentSize, type VideoSettings } from '../ltx-video/generate.ts'
import type { LtxModels } from '../ltx-video/models.ts'
import { passSigmas, promptShape } from '../ltx-video/recipe.ts'
import { pictureToPixels } from '../picture.ts'
import { decodeVideo } from '../vae/decode-video.ts'
import type { DecodeOptions } from '../vae/decoding.ts'
import { compare, isWithin, type Bound, type Difference } from './compare.ts'
import { recipeOf, type GoldenCase } from './golden.ts'

export interface PieceResult {
  readonly case: string
  readonly piece: string
  readonly difference: Difference
  readonly bound: Bound
  readonly pass: boolean
}

export interface Bounds {
  readonly exact: Bound
  readonly piece: Bound
  readonly latents: Bound
  readonly video: Bound
}

/** float32 against float32: what is left is the order of sums. */
export const float32Bounds: Bounds = {
  exact: { worst: 0 },
  piece: { relative: 1e-4 },
  latents: { relative: 2e-4 },
  video: { worst: 1e-3, mean: 1e-4 },
}

/** Half precision: only the video counts. */
export const halfBounds: Bounds = { exact: { worst: 0 }, piece: {}, latents: {}, video: { psnr: 40 } }

export type Report = (result: PieceResult) => void

/** Every piece on the golden inputs, then the whole way twice. */
export async function compareCase(
  golden: GoldenCase,
  models: LtxModels,
  bounds: Bounds,
  report: Report,
): Promise<void> {
  const check = (piece: string, actual: ArrayLike<number>, expected: ArrayLike<number>, bound: Bound) => {
    const difference = compare(actual, expected)
    report({ case: golden.name, piece, difference, bound, pass: isWithin(difference, bound) })
  }
  await compareTokens(golden, check, bounds)
  await compareSchedule(golden, models, check, bounds)
  await compareText(golden, models, check, bounds)
  await compareEncoder(golden, models, check, bounds)
  await compareTransformer(golden, models, check, bounds)
  await compareDecoder(golden, models, check, bounds)
  await compareWhole(golden, models, await golden.golden.draws(), 'recorded draws', check, bounds)
  await compareWhole(golden, models, seededDraws(golden.settings.number('seed')), 'seed', check, bounds)
}

type Check = (piece: string, actual: ArrayLike<number>, expected: ArrayLike<number>, bound: Bound) => void

async function compareTokens({ settings, golden, location }: GoldenCase, check: Check, bounds: Bounds): Promise<void> {
  const tokenizer = await loadTokenizer(location.tokenizer ?? `${location.path}/tokenizer`)
  const maximum = settings.number('max_sequence_length')
  for (const [kind, key] of [
    ['prompt', 'prompt'],
    ['negative', 'negative_prompt'],
  ] as const) {
    const { ids, mask } = tokenizer.encodePadded(settings.string(key), maximum)
    check(`tokens: ${kind}`, ids, (await golden.tensor(`${kind}.ids`)).data, bounds.exact)
    check(`mask: ${kind}`, mask, (await golden.tensor(`${kind}.mask`)).data, bounds.exact)
  }
  const samples = settings.raw('tokenizer_samples')
  if (!Array.isArray(samples)) return
  const expected = samples.map((sample: unknown, index) => settings.nested(`tokenizer_samples ${index}`, sample))
  const joined = (lists: readonly (readonly number[])[]) => lists.flatMap((list) => [...list, -1])
  check(
    `tokens: ${samples.length} samples`,
    joined(expected.map((sample) => tokenizer.encode(sample.string('text')))),
    joined(expected.map((sample) => sample.numbers('ids'))),
    bounds.exact,
  )
}

async function compareSchedule(golden: GoldenCase, models: LtxModels, check: Check, bounds: Bounds): Promise<void> {
  const settings = settingsOf(golden)
  const tokens = tokenCount(latentSize(models, settings, settings.frames))
  const sigmas = passSigmas(settings.recipe.first, models.checkpoint, tokens)
  check(
    'schedule',
    sigmas,
    (await golden.golden.tensor('scheduler.sigmas')).data,
    bounds.piece.relative === undefined ? float32Bounds.piece : bounds.piece,
  )
}

async function compareText(
  { settings, golden }: GoldenCase,
  models: LtxModels,
  check: Check,
  bounds: Bounds,
): Promise<void> {
  const embeds = await golden.tensor('transformer.embeds')
  const batch = embeds.shape[0]!
  const width = embeds.shape[2]!
  const prompts =
    batch > 1 ? [settings.string('negative_prompt'), settings.string('prompt')] : [settings.string('prompt')]
  for (const [row, prompt] of prompts.entries()) {
    const { embeddings } = await models.encodeText(prompt, promptShape(recipeOf(settings), models.checkpoint))
    const start = (row * embeds.data.length) / batch
    // What stands at padding is masked in the transformer: nothing reads it.
    check(
      `text: ${row === batch - 1 ? 'prompt' : 'negative'}`,
      embeddings.data,
      embeds.data.subarray(start, start + matrixSizes(embeddings)[0] * width),
      bounds.piece,
    )
  }
}

async function compareEncoder(
  { golden, pictures }: GoldenCase,
  models: LtxModels,
  check: Check,
  bounds: Bounds,
): Promise<void> {
  for (let index = 0; golden.has(`vae.encode.${index}.input`); index++) {
    const input = await golden.tensor(`vae.encode.${index}.input`)
    const { height, width } = videoSizes(input)
    const picture = pictures[index]?.picture
    if (picture)
      check(
        `picture ${index}`,
        pictureToPixels(resizePicture(picture, width, height)).data,
        input.data,
        float32Bounds.piece,
      )
    const { mean, logvar } = await models.encodePixels(input)
    check(`encoder ${index}: mean`, mean.data, (await golden.tensor(`vae.encode.${index}.mean`)).data, bounds.piece)
    const expected = (await golden.tensor(`vae.encode.${index}.logvar`)).data
    const clamped = logvar.data.map((value) => Math.min(20, Math.max(-30, value)))
    check(`encoder ${index}: log variance`, clamped, expected.subarray(0, clamped.length), bounds.piece)
  }
}

async function compareTransformer(golden: GoldenCase, models: LtxModels, check: Check, bounds: Bounds): Promise<void> {
  const settings = settingsOf(golden)
  const coordinates = await recordedCoordinates(golden, models)
  const promptAs = promptShape(settings.recipe, models.checkpoint)
  for (let step = 0; golden.golden.has(`step.${step}.latents`); step++) {
    const latents = await golden.golden.tensor(`step.${step}.latents`)
    const timesteps = await golden.golden.tensor(`step.${step}.timestep`)
    const expected = await golden.golden.tensor(`step.${step}.output`)
    const batch = latents.shape[0]!
    const shape = latents.shape.slice(1)
    for (let row = 0; row < batch; row++) {
      const positive = row === batch - 1
      const { embeddings } = await models.encodeText(positive ? settings.prompt : settings.negativePrompt, promptAs)
      const part = (tensor: Float32Tensor) =>
        tensor.data.slice((row * tensor.data.length) / batch, ((row + 1) * tensor.data.length) / batch)
      const velocity = await models.denoise({
        latents: float32Tensor(shape, part(latents)),
        timesteps: part(timesteps),
        coordinates,
        text: embeddings,
      })
      check(`transformer ${step}: ${positive ? 'prompt' : 'negative'}`, velocity.data, part(expected), bounds.piece)
    }
  }
}

/** Where diffusers put the tokens. The older pipeline does not record it: there it is the grid. */
async function recordedCoordinates(golden: GoldenCase, models: LtxModels): Promise<Coordinates> {
  const settings = settingsOf(golden)
  if (!golden.golden.has('transformer.coords')) {
    const { vae, causalCoordinates } = models.checkpoint
    return gridCoordinates(
      latentSize(models, settings, settings.frames),
      vae.config.compression,
      settings.framesPerSecond,
      { causal: causalCoordinates },
    )
  }
  const { data, shape } = await golden.golden.tensor('transformer.coords')
  const tokens = shape[2]!
  const axis = (index: number) => data.slice(index * tokens, (index + 1) * tokens)
  return { time: axis(0), y: axis(1), x: axis(2) }
}

async function compareDecoder(
  { settings, golden }: GoldenCase,
  models: LtxModels,
  check: Check,
  bounds: Bounds,
): Promise<void> {
  const latents = await golden.tensor('vae.decode.input')
  const injected: Float32Tensor[] = []
  const list = settings.raw('draws')
  if (Array.isArray(list)) {
    const draws = list.map((entry: unknown, index) => settings.nested(`draws ${index}`, entry))
    for (const draw of draws)
      if (draw.string('source') === 'global') injected.push(await golden.tensor(draw.string('name')))
  }
  const pixels = await models.decodeLatents(latents, settings.number('decode_timestep'), injected)
  check('decoder', colours(pixels), (await golden.tensor('video')).data, bounds.video)
}

async function compareWhole(
  golden: GoldenCase,
  models: LtxModels,
  draws: Draws,
  from: string,
  check: Check,
  bounds: Bounds,
): Promise<void> {
  const settings = settingsOf(golden)
  const steps: Float32Tensor[] = []
  const latents = await generateLatents(models, settings, draws, {
    afterStep: (_, __, { shape, data }) => steps.push(float32Tensor(shape, data.slice())),
  })
  for (const [step, tokens] of steps.entries()) {
    const expected = await golden.golden.tensor(`step.${step}.after`)
    check(
      `${from}: after step ${step}`,
      tokens.data,
      expected.data,
      step === steps.length - 1 ? bounds.latents : bounds.piece.relative === undefined ? {} : bounds.latents,
    )
  }
  const video = await decodeAll(models, latents, settings, draws)
  check(`${from}: video`, video, (await golden.golden.tensor('video')).data, bounds.video)
}

/** The whole video, as diffusers lays it out: `[frames, 3, H, W]` in 0..1. */
export async function decodeAll(
  models: LtxModels,
  latents: Float32Tensor,
  settings: VideoSettings,
  draws: Draws,
  options: DecodeOptions = {},
): Promise<Float32Array> {
  const chunks: Float32Array[] = []
  const input = readyForDecoder(models, latents, settings.recipe, draws)
  for await (const pixels of decodeVideo(models, input.latents, input.noise, draws, options))
    chunks.push(colours(pixels))
  const joined = new Float32Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0))
  let offset = 0
  for (const chunk of chunks) {
    joined.set(chunk, offset)
    offset += chunk.length
  }
  return joined
}

/** `[1, 3, F, H, W]` in -1..1 to `[F, 3, H, W]` in 0..1. */
export function colours(pixels: Float32Tensor): Float32Array {
  const { channels, frames, height, width } = videoSizes(pixels)
  const area = height * width
  const result = new Float32Array(pixels.data.length)
  for (let frame = 0; frame < frames; frame++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = (channel * frames + frame) * area
      const to = (frame * channels + channel) * area
      for (let place = 0; place < area; place++)
        result[to + place] = Math.min(1, Math.max(0, pixels.data[from + place]! / 2 + 0.5))
    }
  }
  return result
}

/** The settings a case ran with. */
export function settingsOf({ settings, pictures }: GoldenCase): VideoSettings {
  return {
    prompt: settings.string('prompt'),
    negativePrompt: settings.string('negative_prompt'),
    pictures: pictures.map(({ picture, frame, strength }) => ({
      at: (width, height) => pictureToPixels(resizePicture(picture, width, height)),
      frame,
      strength,
    })),
    width: settings.number('width'),
    height: settings.number('height'),
    frames: settings.number('num_frames'),
    framesPerSecond: settings.number('frame_rate'),
    recipe: recipeOf(settings),
  }
}
