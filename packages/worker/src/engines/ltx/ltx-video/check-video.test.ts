/** generateLatents is exported: whoever calls it hears what cannot be before a network is loaded. */

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seededDraws } from '../../../flow/draws.ts'
import { float32Tensor } from '../../../onnx/index.ts'
import { openCheckpoint } from './checkpoint.ts'
import { generateLatents, type VideoSettings } from './generate.ts'
import { createModels, type LtxModels } from './models.ts'
import { chooseRecipe } from './recipes.ts'

const fixtures = fileURLToPath(new URL('../../../../test/fixtures/ltx', import.meta.url))
const at = (width: number, height: number) => float32Tensor([1, 3, 1, height, width])

describe.each(['v090', 'v095'])('%s', (name) => {
  let models: LtxModels
  let plain: VideoSettings
  beforeAll(async () => {
    const checkpoint = await openCheckpoint({ path: join(fixtures, name, 'checkpoint') })
    models = await createModels(checkpoint)
    plain = {
      prompt: 'snow',
      negativePrompt: '',
      pictures: [{ at }],
      width: 64,
      height: 64,
      frames: 17,
      framesPerSecond: 8,
      recipe: { ...chooseRecipe(checkpoint), first: { steps: 1 } },
    }
  })
  afterAll(() => models.close())

  const refusal = async (change: Partial<VideoSettings>) => {
    const stages: string[] = []
    const made = generateLatents(models, { ...plain, ...change }, seededDraws(1), {
      onStage: (stage) => stages.push(stage),
    })
    await expect(made).rejects.toMatchObject({ name: 'EngineError', code: 'invalid_settings', retryable: false })
    expect(stages).toEqual([])
  }

  test.each([
    { width: 80 },
    { height: 0 },
    { frames: 18 },
    { frames: 0 },
    { framesPerSecond: 0 },
    { pictures: [{ at, frame: 400 }] },
    { pictures: [{ at, frame: -8 }] },
    { pictures: [{ at, frame: 3.5 }] },
    { pictures: [{ at, strength: 1.7 }] },
    { pictures: [{ at }, { at }] },
  ])('%j is refused before any work', refusal)

  // 0.9.0 takes the first picture only, and holds it.
  if (name === 'v090')
    test.each([
      { pictures: [{ at, frame: 8 }] },
      { pictures: [{ at }, { at, frame: 16 }] },
      { pictures: [{ at, strength: 0.5 }] },
    ])('%j needs a newer checkpoint', refusal)
  else
    test.each([
      { pictures: [{ at, frame: 8 }] },
      { pictures: [{ at }, { at, frame: 3 }, { at, frame: 16, strength: 0.5 }] },
      { pictures: [] },
    ])('%j runs', async (change) => {
      const latents = await generateLatents(models, { ...plain, ...change }, seededDraws(1))
      expect(latents.shape.slice(2)).toEqual([3, 2, 2])
    })
})
