/** Compares the multi-scale recipe's middle and its second pass with the numbers of a case like fixtures' `latent-upsampler`. */

import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { seededDraws, type Draws } from '../../../flow/draws.ts'
import { resizePicture } from '../../../media/lanczos.ts'
import { float32Tensor, type Float32Tensor } from '../../../onnx/index.ts'
import { readFields, type Fields } from '../../../weights/config-fields.ts'
import { readSafetensors } from '../../../weights/index.ts'
import { denormalizeLatents } from '../latents.ts'
import { openCheckpoint, openLatentUpsampler } from '../ltx-video/checkpoint.ts'
import { encodePictures, encodePrompts, runPass, upscaleLatents, type VideoSettings } from '../ltx-video/generate.ts'
import { createModels, type LtxModels, type ModelOptions } from '../ltx-video/models.ts'
import { pictureToPixels } from '../picture.ts'
import { compare, isWithin, type Bound } from './compare.ts'
import { Golden, recipeOf, type DecodePicture } from './golden.ts'
import type { Bounds, Report } from './pieces.ts'

/**
 * @param folder of the case; its golden/case.json names the first pass's case through the picture it shares with it
 */
export async function compareUpsampler(
  folder: string,
  name: string,
  decodePicture: DecodePicture,
  options: ModelOptions,
  bounds: Bounds,
  report: Report,
): Promise<void> {
  const goldenFolder = join(folder, 'golden')
  const settings = await readFields(join(goldenFolder, 'case.json'))
  const second = settings.fields('second')
  const golden = new Golden(await readSafetensors(join(goldenFolder, 'golden.safetensors')))
  const picture = join(goldenFolder, second.string('image'))
  const firstCase = dirname(dirname(picture))
  const firstSettings = await readFields(join(firstCase, 'golden', 'case.json'))
  const checkpoint = await openCheckpoint({ path: join(firstCase, 'checkpoint') })
  const models = await createModels(
    { ...checkpoint, upsampler: await openLatentUpsampler(join(folder, 'checkpoint', 'latent_upsampler')) },
    options,
  )
  const check = (piece: string, actual: ArrayLike<number>, expected: ArrayLike<number>, bound: Bound) => {
    const difference = compare(actual, expected)
    report({ case: name, piece, difference, bound, pass: isWithin(difference, bound) })
  }

  const first = await golden.tensor('first.latents')
  const input = denormalizeLatents(first, checkpoint.latents)
  check('upsampler: input', input.data, (await golden.tensor('upsampler.input')).data, bounds.piece)
  check(
    'upsampler: output',
    (await models.upsample(input)).data,
    (await golden.tensor('upsampler.output')).data,
    bounds.piece,
  )
  for (const [label, fields] of upscaledCases(settings)) {
    const upscaled = await upscaleLatents(models, first, {
      adain: fields.number('adain_factor', 0),
      toneMap: fields.number('tone_map_compression_ratio', 0),
    })
    check(`upscaled: ${label}`, upscaled.data, (await golden.tensor(`upscaled.${label}`)).data, bounds.piece)
  }

  const decoded = await decodePicture(await readFile(picture))
  const video = secondPassSettings(firstSettings, second, (width, height) =>
    pictureToPixels(resizePicture(decoded, width, height)),
  )
  for (const [from, draws] of [
    ['recorded draws', await golden.draws()],
    ['seed', seededDraws(second.number('seed'))],
  ] as const) {
    await compareSecondPass(
      models,
      golden,
      video,
      second,
      draws,
      (piece, actual, expected, bound) => check(`${from}: ${piece}`, actual, expected, bound),
      bounds,
    )
  }
  await models.close()
}

async function compareSecondPass(
  models: LtxModels,
  golden: Golden,
  settings: VideoSettings,
  second: Fields,
  draws: Draws,
  check: (piece: string, actual: ArrayLike<number>, expected: ArrayLike<number>, bound: Bound) => void,
  bounds: Bounds,
): Promise<void> {
  const steps: Float32Tensor[] = []
  const latents = await runPass(
    models,
    settings,
    {
      width: settings.width,
      height: settings.height,
      prompts: await encodePrompts(models, settings),
      keyframes: await encodePictures(models, settings, settings),
      guidance: settings.recipe.guidance,
      pass: { sigmas: secondSigmas(second) },
      number: 1,
      initial: await golden.tensor(second.string('latents')),
    },
    draws,
    { afterStep: (_, __, { shape, data }) => steps.push(float32Tensor(shape, data.slice())) },
  )
  for (const [step, tokens] of steps.entries())
    check(`after step ${step}`, tokens.data, (await golden.tensor(`second.step.${step}.after`)).data, bounds.latents)
  check('latents', latents.data, (await golden.tensor('second.latents')).data, bounds.latents)
  check(
    'sigmas',
    secondSigmas(second),
    (await golden.tensor('second.sigmas')).data.subarray(1, 1 + secondSigmas(second).length),
    bounds.piece,
  )
}

/** The given timesteps, less those that a denoise strength below 1 skips. */
function secondSigmas(second: Fields): number[] {
  const timesteps = second.numbers('timesteps')
  const skipped =
    timesteps.length - Math.min(timesteps.length, Math.trunc(timesteps.length * second.number('denoise_strength', 1)))
  return timesteps.slice(skipped).map((timestep) => Math.fround(timestep / 1000))
}

function secondPassSettings(
  first: Fields,
  second: Fields,
  at: (width: number, height: number) => Float32Tensor,
): VideoSettings {
  return {
    prompt: first.string('prompt'),
    negativePrompt: first.string('negative_prompt'),
    pictures: [{ at }],
    width: second.number('width'),
    height: second.number('height'),
    frames: first.number('num_frames'),
    framesPerSecond: first.number('frame_rate'),
    recipe: {
      ...recipeOf(first),
      guidance: [{ from: 1, scale: second.number('guidance_scale'), rescale: 0 }],
      imageNoise: second.number('image_cond_noise_scale'),
    },
  }
}

function upscaledCases(settings: Fields): [string, Fields][] {
  const upscaled = settings.raw('upscaled')
  return typeof upscaled === 'object' && upscaled !== null
    ? Object.entries(upscaled).map(([label, value]) => [label, settings.nested(label, value)])
    : []
}

/** The shape that tells such a case. */
export function isUpsamplerCase(files: ReadonlySet<string>): boolean {
  return files.has('latent_upsampler') && !files.has('model_index.json')
}
