import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, test } from 'vitest'
import type { RequestedSettings } from '@kinora/protocol'
import { openCheckpoint, type Checkpoint } from './checkpoint.ts'
import type { Recipe } from './recipe.ts'
import { chooseRecipe, recipes } from './recipes.ts'
import { adjusted, resolveVideo } from './resolve.ts'

const fixtures = fileURLToPath(new URL('../../../../test/fixtures/ltx', import.meta.url))
const picture = { width: 640, height: 480 }
const named = (name: string): Recipe => recipes.find((recipe) => recipe.name === name)!
let checkpoint: Checkpoint
beforeAll(async () => {
  checkpoint = await openCheckpoint({ path: join(fixtures, 'v095', 'checkpoint') })
})

function resolve(asked: Partial<RequestedSettings>, recipe = named('2b-0.9.5'), films = true) {
  const request = { duration: 2, seed: 1, prompt: 'waves', ...asked }
  return resolveVideo({ checkpoint, recipe, countTokens: () => 3, films }, request, picture)
}

describe('image_crf', () => {
  test("where nothing is asked for it is the recipe's, and the job tells it", () => {
    expect(resolve({})).toMatchObject({ settings: { image_crf: 29, image_strength: 1 }, notices: [] })
  })

  test.each([0, 18, 51])('%i is what was asked for', (image_crf) => {
    expect(resolve({ image_crf })).toMatchObject({ settings: { image_crf }, notices: [] })
  })

  test('what this machine cannot do is not promised', () => {
    const words = /not sent through H\.264 \(image_crf: 29\).*no ffmpeg with libx264/
    expect(resolve({}, named('2b-0.9.5'), false)).toMatchObject({
      settings: { image_crf: 0 },
      notices: [expect.stringMatching(words)],
    })
    expect(resolve({ image_crf: 40 }, named('2b-0.9.5'), false).notices).toEqual([
      expect.stringMatching(/image_crf: 40/),
    ])
    expect(resolve({ image_crf: 0 }, named('2b-0.9.5'), false)).toMatchObject({
      settings: { image_crf: 0 },
      notices: [],
    })
  })

  test('as diffusers does it there is none, and asking for one is answered', () => {
    const recipe = named('diffusers-2b-0.9.5')
    expect(resolve({}, recipe).settings).not.toHaveProperty('image_crf')
    expect(resolve({ image_crf: 20 }, recipe).notices).toEqual([
      'The recipe diffusers-2b-0.9.5 does not send pictures through H.264; image_crf: 20 was left aside.',
    ])
  })
})

describe('guidance', () => {
  test('a scale that is asked for holds for each step of the first pass; blocks and rescaling stay', () => {
    const recipe = adjusted(named('13b-dev'), { guidance_scale: 4 })
    expect(recipe.guidance.map(({ scale }) => scale)).toEqual([4, 4, 4, 4, 4, 4, 4])
    expect(recipe.guidance[2]).toEqual({ ...named('13b-dev').guidance[2], scale: 4 })
    expect(recipe.multiScale).toEqual(named('13b-dev').multiScale)
  })

  test('a negative prompt is told where a step of any pass reads it', () => {
    expect(resolve({}).settings).toMatchObject({ guidance_scale: 3, negative_prompt: expect.stringMatching(/^worst/) })
    expect(resolve({ guidance_scale: 1 }).settings).not.toHaveProperty('negative_prompt')
    expect(resolve({}, named('13b-dev')).settings).toMatchObject({ negative_prompt: expect.stringMatching(/^worst/) })
    expect(resolve({}, named('13b-dev')).settings).not.toHaveProperty('guidance_scale')
  })

  test('blocks that the checkpoint lacks are told', () => {
    expect(resolve({}, chooseRecipe(checkpoint, '2b-0.9.5')).notices).toEqual([
      'The recipe 2b-0.9.5 guides by blocks 19, which this checkpoint does not have: there, without spatio-temporal guidance.',
    ])
  })
})
