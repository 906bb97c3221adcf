/** What a weakened block gives is what the same network gives with the block taken apart by other means. */

import { copyFile, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { seededDraws } from '../../../flow/draws.ts'
import { float32Tensor, matrixSizes, type Float32Tensor } from '../../../onnx/index.ts'
import { tensorOf } from '../../../networks/tensors.ts'
import { gridCoordinates } from '../coordinates.ts'
import { compare } from '../parity/compare.ts'
import { openCheckpoint, type Checkpoint } from './checkpoint.ts'
import type { DenoiserInput } from './denoise.ts'
import { createModels, type LtxModels, type ModelOptions } from './models.ts'
import type { PerturbationMode } from './transformer.ts'

const fixture = fileURLToPath(new URL('../../../../test/fixtures/ltx/v095/checkpoint', import.meta.url))
const all = [0, 1, 2]
let checkpoint: Checkpoint
let input: DenoiserInput
let folder: string
beforeAll(async () => {
  checkpoint = await openCheckpoint({ path: fixture })
  folder = await mkdtemp(join(tmpdir(), 'kinora-perturbation-'))
  const { config } = checkpoint.transformer
  const size = { frames: 2, height: 2, width: 2 }
  const draws = seededDraws(3)
  const coordinates = gridCoordinates(size, checkpoint.vae.config.compression, 8, { causal: true })
  input = {
    latents: draws.normal([8, config.inChannels]),
    // A picture's tokens stand at a noise of their own.
    timesteps: Float32Array.from({ length: 8 }, (_, token) => (token < 4 ? 100 : 700)),
    coordinates,
    text: draws.normal([5, config.captionChannels]),
  }
})
afterAll(async () => {
  for (const { models } of opened) await models.close()
  await rm(folder, { recursive: true })
})

/** Opened once each: reading the tokenizer takes longer than what is done here. */
const opened: { of: Checkpoint; blocks: string; models: LtxModels }[] = []
async function predict(
  asked: DenoiserInput,
  perturbable?: ModelOptions['perturbable'],
  of: Checkpoint = checkpoint,
): Promise<Float32Tensor> {
  const blocks = JSON.stringify(perturbable)
  let found = opened.find((one) => one.of === of && one.blocks === blocks)
  if (found === undefined) {
    const options = perturbable === undefined ? {} : { perturbable }
    found = { of, blocks, models: await createModels(of, { ...options, keepLoaded: true }) }
    opened.push(found)
  }
  return found.models.denoise(asked)
}

const weakened = (mode: PerturbationMode, perturbed: readonly number[], blocks = all) =>
  predict({ ...input, perturbed }, { mode, blocks })

/** Each token in a video of its own: its attention to itself is all the attention there is, which gives its own value. */
async function alone(of: Checkpoint): Promise<Float32Tensor> {
  const [tokens, channels] = matrixSizes(input.latents)
  const velocity = float32Tensor(input.latents.shape)
  const { time, y, x } = input.coordinates
  for (let token = 0; token < tokens; token++) {
    const own = (list: Float32Array) => list.slice(token, token + 1)
    const { data } = await predict(
      {
        ...input,
        latents: float32Tensor([1, channels], input.latents.data.slice(token * channels, (token + 1) * channels)),
        timesteps: own(input.timesteps),
        coordinates: { time: own(time), y: own(y), x: own(x) },
      },
      undefined,
      of,
    )
    velocity.data.set(data, token * channels)
  }
  return velocity
}

/** A copy of the checkpoint with other numbers in some tensors of its transformer. */
async function changed(
  numbers: (name: string, index: number, columns: number) => number | undefined,
): Promise<Checkpoint> {
  const files = new Map<string, string>()
  const tensors = new Map(checkpoint.transformer.tensors)
  for (const [name, entry] of checkpoint.transformer.tensors) {
    const { file, offset, shape, dtype } = tensorOf(tensors, name, entry.shape)
    const copy = files.get(file) ?? join(folder, `${files.size}-${Math.random()}-${basename(file)}`)
    if (!files.has(file)) await copyFile(file, copy)
    files.set(file, copy)
    tensors.set(name, { ...entry, file: copy })
    if (numbers(name, 0, 1) === undefined) continue
    expect(dtype).toBe('F32')
    const columns = shape.at(-1)!
    const values = Float32Array.from({ length: shape.reduce((product, size) => product * size, 1) }, (_, index) =>
      numbers(name, index, columns)!,
    )
    const handle = await open(copy, 'r+')
    await handle.write(Buffer.from(values.buffer), 0, values.byteLength, offset)
    await handle.close()
  }
  return { ...checkpoint, transformer: { ...checkpoint.transformer, tensors } }
}

function expectSame(actual: Float32Tensor, expected: Float32Tensor) {
  expect(compare(actual.data, expected.data).relative).toBeLessThan(1e-5)
}

describe.each(['attention-values', 'attention-skip', 'residual', 'transformer-block'] as const)('%s', (mode) => {
  test('with nothing weakened, nothing changes, not by a bit', async () => {
    expect((await weakened(mode, [])).data).toEqual((await predict(input)).data)
  })

  test('each block counts, by its own number', async () => {
    const predictions = [[], [0], [1], [2], [0, 2], all]
    const seen = new Set<string>()
    for (const blocks of predictions) seen.add((await weakened(mode, blocks)).data.join())
    expect(seen.size).toBe(predictions.length)
    expect((await weakened(mode, [1], [1])).data).toEqual((await weakened(mode, [1])).data)
  })
})

describe('with the block taken apart by other means', () => {
  test('attention-values: every token attends to itself alone', async () => {
    expectSame(await weakened('attention-values', all), await alone(checkpoint))
  })

  test('attention-skip: every token attends to itself alone, and its value is what the attention was given', async () => {
    const identity = await changed((name, index, columns) => {
      if (name.endsWith('attn1.to_v.weight')) return index % (columns + 1) === 0 ? 1 : 0
      return name.endsWith('attn1.to_v.bias') ? 0 : undefined
    })
    expectSame(await weakened('attention-skip', all), await alone(identity))
  })

  test('residual: the attention puts out nothing', async () => {
    const silent = await changed((name) => (/blocks\.1\.attn1\.to_out\./.test(name) ? 0 : undefined))
    expectSame(await weakened('residual', [1]), await predict(input, undefined, silent))
  })

  test('transformer-block: a network without the block', async () => {
    const { config, tensors } = checkpoint.transformer
    const shorter = new Map(
      [...tensors]
        .filter(([name]) => !name.startsWith('transformer_blocks.1.'))
        .map(([name, entry]) => [name.replace('transformer_blocks.2.', 'transformer_blocks.1.'), entry] as const),
    )
    const without = { ...checkpoint, transformer: { config: { ...config, layers: 2 }, tensors: shorter } }
    expectSame(await weakened('transformer-block', [1]), await predict(input, undefined, without))
  })
})

test('a block that the graph was not built for is refused', async () => {
  await expect(weakened('attention-values', [2], [1])).rejects.toThrow(/Blocks 2 cannot be weakened.*built for \[1\]/)
})
