import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { seededDraws } from '../../../flow/draws.ts'
import { float32Tensor, matrixSizes } from '../../../onnx/index.ts'
import { openCheckpoint, openLatentUpsampler } from './checkpoint.ts'
import { generateLatents, type VideoSettings } from './generate.ts'
import { createModels, type LtxModels } from './models.ts'
import { perturbableOf, type Recipe } from './recipe.ts'
import { chooseRecipe } from './recipes.ts'

const fixtures = fileURLToPath(new URL('../../../../test/fixtures/ltx', import.meta.url))
const upsamplerFolder = join(fixtures, 'latent-upsampler', 'checkpoint', 'latent_upsampler')

/** As 13b-dev guides, in the three blocks of a small checkpoint: two passes, each with lists of its own. */
const recipe: Omit<Recipe, 'name'> = {
  follows: 'authors',
  perturbationMode: 'attention-values',
  first: { steps: 4, skipLast: 1 },
  guidance: [
    { from: 1, scale: 1, star: true, rescale: 0 },
    { from: 0.9, scale: 6, star: true, perturbation: { scale: 4, blocks: [0, 2] }, rescale: 0.5 },
    { from: 0.5, scale: 1, star: true, perturbation: { scale: 2, blocks: [1] }, rescale: 0 },
  ],
  multiScale: {
    downscale: 0.6666666,
    adain: 1,
    toneMap: 0,
    second: { steps: 4, skipFirst: 2 },
    guidance: [{ from: 1, scale: 1, star: true, perturbation: { scale: 1, blocks: [2] }, rescale: 0 }],
  },
  negativePrompt: 'blurry',
  maximumTokens: 256,
  imageCrf: 0,
  imageNoise: 0.15,
  decodeTimestep: 0.05,
  decodeNoise: 0.025,
  stochastic: false,
}

let models: LtxModels
let settings: VideoSettings
beforeAll(async () => {
  const opened = await openCheckpoint({ path: join(fixtures, 'v095', 'checkpoint') })
  const checkpoint = { ...opened, upsampler: await openLatentUpsampler(upsamplerFolder) }
  models = await createModels(checkpoint, { keepLoaded: true, perturbable: perturbableOf({ ...recipe }) })
  settings = {
    prompt: 'a train in the snow',
    negativePrompt: recipe.negativePrompt,
    pictures: [{ at: (width, height) => float32Tensor([1, 3, 1, height, width]) }],
    width: 96,
    height: 96,
    frames: 9,
    framesPerSecond: 8,
    recipe: { ...recipe, name: 'small' },
  }
})
afterAll(() => models.close())

test('each pass asks the transformer for what its own guidance says', async () => {
  const { embeddings: prompt } = await models.encodeText(settings.prompt, { maximum: 256, paddingIsRead: false })
  const asked: string[] = []
  const watched: LtxModels = {
    ...models,
    get decoderNoises() {
      return models.decoderNoises
    },
    denoise: async (input) => {
      const [tokens] = matrixSizes(input.latents)
      const [words] = matrixSizes(input.text)
      const what = words === matrixSizes(prompt)[0] ? 'prompt' : 'negative'
      asked.push([tokens, what, ...(input.perturbed ?? []).map((block) => `-${block}`)].join(' '))
      return models.denoise(input)
    },
  }
  const latents = await generateLatents(watched, settings, seededDraws(4))
  // int(96 · 0.6666666) is 63, down to 32 pixels; then twice that. Sigmas of the first pass: 1, 0.9875, 0.975 of 4, with the last left out; of the second the later two.
  expect(asked).toEqual([
    '2 prompt',
    '2 prompt',
    '2 negative',
    '2 prompt -0 -2',
    '2 prompt',
    '2 negative',
    '2 prompt -0 -2',
    '8 prompt',
    '8 prompt -2',
    '8 prompt',
    '8 prompt -2',
  ])
  expect(latents.shape.slice(2)).toEqual([2, 2, 2])
  expect(latents.data.every(Number.isFinite)).toBe(true)
})

test('models that were opened for other blocks are refused before any work', async () => {
  const other = await createModels(models.checkpoint, { perturbable: { mode: 'attention-values', blocks: [1] } })
  const stages: string[] = []
  const made = generateLatents(other, settings, seededDraws(4), { onStage: (stage) => stages.push(stage) })
  await expect(made).rejects.toThrow(/small weakens blocks 0, 2, for which the models were not opened/)
  expect(stages).toEqual([])
  await other.close()
})

test('a recipe fitted to the checkpoint needs no such blocks', () => {
  expect(perturbableOf(chooseRecipe(models.checkpoint, '13b-dev')).blocks).toEqual([])
})
