/** How far a video in another precision is from fp32's. */

import { openCheckpoint } from '../src/engines/ltx/ltx-video/checkpoint.ts'
import { generateLatents, type VideoSettings } from '../src/engines/ltx/ltx-video/generate.ts'
import { createModels, type ModelOptions } from '../src/engines/ltx/ltx-video/models.ts'
import { quantizeCheckpoint } from '../src/engines/ltx/ltx-video/quantize-checkpoint.ts'
import { perturbableOf } from '../src/engines/ltx/ltx-video/recipe.ts'
import { chooseRecipe } from '../src/engines/ltx/ltx-video/recipes.ts'
import { compare } from '../src/engines/ltx/parity/compare.ts'
import { decodeAll } from '../src/engines/ltx/parity/pieces.ts'
import { seededDraws } from '../src/flow/draws.ts'
import { float32Tensor } from '../src/onnx/index.ts'

/** One small video for each precision, from the same seed. */
export async function measureQuality(
  folder: string,
  cacheFolder: string,
): Promise<{ precision: string; psnr: number }[]> {
  const checkpoint = await openCheckpoint({ path: folder })
  const recipe = { ...chooseRecipe(checkpoint), first: { steps: 2 } }
  const settings: VideoSettings = {
    prompt: 'waves at sunset',
    negativePrompt: 'blurry',
    pictures: [
      {
        at: (width, height) =>
          float32Tensor(
            [1, 3, 1, height, width],
            Float32Array.from({ length: 3 * width * height }, (_, index) => Math.sin(index / 50)),
          ),
      },
    ],
    width: 64,
    height: 64,
    frames: 9,
    framesPerSecond: 24,
    recipe,
  }
  const video = async (options: ModelOptions) => {
    const models = await createModels(checkpoint, { ...options, perturbable: perturbableOf(recipe) })
    const draws = seededDraws(5)
    const result = await decodeAll(models, await generateLatents(models, settings, draws), settings, draws)
    await models.close()
    return result
  }
  const exact = await video({})
  return [
    {
      precision: 'int8',
      psnr: compare(await video({ quantized: await quantizeCheckpoint(checkpoint, { folder: cacheFolder }) }), exact)
        .psnr,
    },
    { precision: 'fp16', psnr: compare(await video({ compute: 'float16' }), exact).psnr },
  ]
}
