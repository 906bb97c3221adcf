import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import { Fields } from '../../../weights/config-fields.ts'
import { openCheckpoint, readModelIndex, type Checkpoint } from './checkpoint.ts'
import { chooseRecipe, recipes } from './recipes.ts'

const fixtures = fileURLToPath(new URL('../../../../test/fixtures/ltx', import.meta.url))
let older: Checkpoint
let newer: Checkpoint
beforeAll(async () => {
  older = await openCheckpoint({ path: join(fixtures, 'v090', 'checkpoint') })
  newer = await openCheckpoint({ path: join(fixtures, 'v095', 'checkpoint') })
})

describe('a recipe is found by the name of the checkpoint', () => {
  test.each([
    ['Lightricks/LTX-Video-0.9.5', '2b-0.9.5'],
    ['ltxv-2b-0.9.6-dev-04-25.safetensors', '2b-0.9.5'],
    ['ltxv-2b-0.9.6-distilled-04-25.safetensors', '2b-0.9.6-distilled'],
    ['Lightricks/LTX-Video:ltxv-2b-0.9.8-distilled.safetensors', '2b-0.9.8-distilled'],
    ['ltxv-13b-0.9.8-distilled.safetensors', '13b-distilled'],
    ['Lightricks/LTX-Video-0.9.7-distilled', '13b-distilled'],
    ['Lightricks/LTX-Video-0.9.7-dev', '13b-dev'],
    ['ltxv-13b-0.9.8-dev.safetensors', '13b-dev'],
  ])('%s: %s', (name, recipe) => {
    expect(chooseRecipe({ ...newer, name }).name).toBe(recipe)
  })

  test.each([
    ['Lightricks/LTX-Video', '2b-0.9.0'],
    ['ltx-video-2b-v0.9.safetensors', '2b-0.9.0'],
    ['ltx-video-2b-v0.9.1.safetensors', '2b-0.9.1'],
  ])('%s: %s', (name, recipe) => {
    expect(chooseRecipe({ ...older, name }).name).toBe(recipe)
  })
})

describe('where the name says nothing, the configs decide', () => {
  test('by kind, size and allowed sigmas', () => {
    expect(chooseRecipe({ ...older, name: 'mine' }).name).toBe('2b-0.9.0')
    expect(chooseRecipe({ ...newer, name: 'mine' }).name).toBe('2b-0.9.5')
    expect(chooseRecipe({ ...newer, name: 'mine', allowedSigmas: [1, 0.9937] }).name).toBe('2b-0.9.8-distilled')
    const large = {
      ...newer,
      name: 'mine',
      transformer: { ...newer.transformer, config: { ...newer.transformer.config, headSize: 128 } },
    }
    expect(chooseRecipe(large).name).toBe('13b-dev')
  })

  test('a name that contradicts them is not believed', () => {
    expect(chooseRecipe({ ...older, name: 'ltxv-2b-0.9.8-distilled' }).name).toBe('2b-0.9.0')
  })
})

test('names of recipes are their own', () => {
  expect(new Set(recipes.map((recipe) => recipe.name)).size).toBe(recipes.length)
})

describe('pipelines', () => {
  test('LTX-2 is refused by name', () => {
    expect(() => readModelIndex(new Fields('model_index.json', { _class_name: 'LTX2Pipeline' }))).toThrow(
      /LTX2Pipeline.*LTX-2 is not supported yet/,
    )
  })

  test('any other model too', () => {
    expect(() => readModelIndex(new Fields('model_index.json', { _class_name: 'FluxPipeline' }))).toThrow(
      /FluxPipeline, which the ltx engine cannot run/,
    )
  })
})
