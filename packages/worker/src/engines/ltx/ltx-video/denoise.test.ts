import { describe, expect, test } from 'vitest'
import { seededDraws } from '../../../flow/draws.ts'
import { startEuler } from '../../../flow/euler.ts'
import type { Guidance } from '../../../flow/guidance.ts'
import { float32Tensor } from '../../../onnx/index.ts'
import { denoise, type Denoiser } from './denoise.ts'

const value = (number: number) => float32Tensor([1, 1], Float32Array.of(number))
const [prompt, negativePrompt] = [value(1), value(2)]

/** One step from 1 to 0 with a velocity that tells what was asked for: 10 for the prompt, 20 for the negative one, 5 less with weakened blocks. */
async function step(guidance: Guidance) {
  const asked: string[] = []
  const denoiser: Denoiser = async ({ text, perturbed = [] }) => {
    asked.push(`${text === prompt ? 'prompt' : 'negative'}${perturbed.map((block) => ` -${block}`).join('')}`)
    return value((text === prompt ? 10 : 20) - (perturbed.length > 0 ? 5 : 0))
  }
  const draws = seededDraws(1)
  const strengths = Float32Array.of(0)
  const zero = Float32Array.of(0)
  const latents = await denoise(
    { latents: value(0), strengths, coordinates: { time: zero, y: zero, x: zero } },
    denoiser,
    draws,
    {
      sampler: startEuler({ sigmas: Float32Array.of(1, 0), strengths, draws }),
      guidance: () => guidance,
      prompt,
      negativePrompt,
    },
  )
  return { asked, velocity: -latents.data[0]! }
}

describe('what a step asks the transformer', () => {
  const perturbation = { scale: 4, blocks: [3, 7] }

  test('without guidance: one prediction', async () => {
    expect(await step({ scale: 1, rescale: 0 })).toEqual({ asked: ['prompt'], velocity: 10 })
  })

  test('with guidance by the prompt: the negative one too', async () => {
    // 20 + 3 · (10 - 20)
    expect(await step({ scale: 3, rescale: 0 })).toEqual({ asked: ['prompt', 'negative'], velocity: -10 })
  })

  test('with spatio-temporal guidance: the prompt once more, without those blocks', async () => {
    // 10 + 4 · (10 - 5)
    expect(await step({ scale: 1, perturbation, rescale: 0 })).toEqual({
      asked: ['prompt', 'prompt -3 -7'],
      velocity: 30,
    })
  })

  test('with both', async () => {
    expect(await step({ scale: 3, perturbation, rescale: 0 })).toEqual({
      asked: ['prompt', 'negative', 'prompt -3 -7'],
      velocity: 10,
    })
  })

  test('with a scale of 0, or no blocks: nothing of the kind', async () => {
    expect((await step({ scale: 1, perturbation: { scale: 0, blocks: [3] }, rescale: 0 })).asked).toEqual(['prompt'])
    expect((await step({ scale: 1, perturbation: { scale: 4, blocks: [] }, rescale: 0 })).asked).toEqual(['prompt'])
  })
})
