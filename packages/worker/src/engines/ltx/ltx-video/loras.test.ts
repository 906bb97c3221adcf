/** A LoRA on a checkpoint makes the video of a checkpoint whose weights were merged by hand. */

import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { float32, writeSafetensors, type TensorData } from '../../../../test/fixtures/hub/write-safetensors.ts'
import {
  float32ToBfloat16,
  readSafetensors,
  readTensor,
  readTensorBytes,
  type TensorEntry,
} from '../../../weights/index.ts'
import { createLtxEngine, type LtxEngineOptions } from '../engine.ts'

const fixtures = fileURLToPath(new URL('../../../../test/fixtures/ltx', import.meta.url))
const weightsFile = 'diffusion_pytorch_model.safetensors'
const rank = 2
const strength = 0.7
const alpha = 3

let root: string
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'kinora-loras-'))
})
afterAll(() => rm(root, { recursive: true }))

/** Numbers of about the size of weights, the same in every run. */
function wave(count: number, seed: number): number[] {
  return Array.from({ length: count }, (_, index) => Math.fround(0.6 * Math.sin(index * 1.7 + seed)))
}

/** Every matrix of the blocks is changed; the file's names are those of ComfyUI. */
function isChanged({ name, shape }: TensorEntry): boolean {
  return name.startsWith('transformer_blocks.') && name.endsWith('.weight') && shape.length === 2
}

function halves(entry: TensorEntry, seed: number) {
  const [outputs = 0, inputs = 0] = entry.shape
  return { outputs, inputs, down: wave(rank * inputs, seed), up: wave(outputs * rank, seed + 0.5) }
}

async function writeLora(entries: readonly TensorEntry[]): Promise<string> {
  const tensors: Record<string, TensorData> = {}
  for (const [seed, entry] of entries.entries()) {
    const { outputs, inputs, down, up } = halves(entry, seed)
    const layer = `diffusion_model.${entry.name.replace(/\.weight$/, '').replace('norm_q', 'q_norm')}`
    tensors[`${layer}.lora_down.weight`] = float32(down, [rank, inputs])
    tensors[`${layer}.lora_up.weight`] = float32(up, [outputs, rank])
    tensors[`${layer}.alpha`] = float32([alpha], [])
  }
  return writeSafetensors(join(root, 'style.safetensors'), tensors)
}

/**
 * W + strength · alpha / rank · up · down, one number after the other, in the weight's format. To weights of 8 bits LoRAs are added while computing, as if
 * they were float32; int8 ones are made of bf16.
 */
async function mergeByHand(entry: TensorEntry, seed: number, precision: 'fp32' | 'int8'): Promise<TensorData> {
  const { inputs, down, up } = halves(entry, seed)
  const factor = (strength * alpha) / rank
  const values = (await readTensor(entry)).map((value, place) => {
    const [row, column] = [Math.floor(place / inputs), place % inputs]
    let product = 0
    for (let at = 0; at < rank; at++) product += up[row * rank + at]! * down[at * inputs + column]!
    return value + factor * product
  })
  const isEight = entry.dtype.startsWith('F8_')
  if (entry.dtype === 'F32' || (isEight && precision === 'fp32')) return float32([...values], [...entry.shape])
  return { dtype: 'BF16', shape: [...entry.shape], bytes: new Uint8Array(float32ToBfloat16(values).buffer) }
}

function cacheOf(precision: string, modelPath: string): string {
  return join(root, 'cache', precision, basename(dirname(modelPath)))
}

async function frames(options: LtxEngineOptions): Promise<{ pixels: number[]; log: string[] }> {
  const log: string[] = []
  const engine = await createLtxEngine({
    provider: 'cpu',
    cacheFolder: cacheOf(String(options.precision), options.modelPath),
    log: (line) => log.push(line),
    ...options,
  })
  const picture = { width: 64, height: 64, data: new Uint8Array(64 * 64 * 3).fill(90) }
  const settings = { prompt: 'snow', width: 64, height: 64, num_frames: 9, fps: 8, duration: 1.125, seed: 3, steps: 2 }
  const pixels: number[] = []
  const context = { signal: new AbortController().signal, progress: () => {} }
  for await (const frame of engine.generate({ picture, settings }, context)) pixels.push(...frame.data)
  await engine.close()
  return { pixels, log }
}

function furthest(a: readonly number[], b: readonly number[]): number {
  return a.reduce((worst, value, place) => Math.max(worst, Math.abs(value - (b[place] ?? Infinity))), 0)
}

describe.each([
  ['v095', 'fp32'],
  ['v095', 'int8'],
  ['v095-f8', 'fp32'],
  ['v095-f8', 'int8'],
] as const)('on %s in %s', (name, precision) => {
  const plain = join(fixtures, name, 'checkpoint')
  let byHand: string
  let lora: string
  beforeAll(async () => {
    byHand = join(root, `${name}-${precision}`)
    await cp(plain, byHand, { recursive: true })
    const { tensors } = await readSafetensors(join(plain, 'transformer', weightsFile))
    const changed = [...tensors.values()].filter(isChanged)
    lora = await writeLora(changed)
    const merged: Record<string, TensorData> = {}
    for (const entry of tensors.values()) {
      const seed = changed.indexOf(entry)
      merged[entry.name] =
        seed < 0
          ? { dtype: entry.dtype, shape: [...entry.shape], bytes: await readTensorBytes(entry) }
          : await mergeByHand(entry, seed, precision)
    }
    await rm(join(byHand, 'transformer', weightsFile))
    await writeSafetensors(join(byHand, 'transformer', weightsFile), merged)
  })

  test('it is the video of weights merged by hand', async () => {
    const { pixels, log } = await frames({ modelPath: plain, precision, loras: [{ path: lora, strength }] })
    const expected = await frames({ modelPath: byHand, precision })
    const without = await frames({ modelPath: plain, precision })
    expect(furthest(pixels, expected.pixels)).toBeLessThanOrEqual(1)
    expect(furthest(pixels, without.pixels)).toBeGreaterThan(8)
    expect(log.find((line) => line.includes('recipe'))).toMatch(/LoRA style\.safetensors x 0\.7/)
  })

  test('the cache holds changed weights alone, and none for weights of 8 bits', async () => {
    const names = await readdir(cacheOf(precision, plain)).catch(() => [])
    const files = names.filter((file) => file.endsWith('.safetensors'))
    expect(files.length > 0).toBe(name === 'v095' || precision === 'int8')
    for (const file of files) {
      const { tensors } = await readSafetensors(join(cacheOf(precision, plain), file))
      expect([...tensors.keys()].filter((tensor) => !/^(transformer_blocks|encoder\.block)\./.test(tensor))).toEqual([])
    }
  })
})
