import { mkdtemp, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  float32,
  safetensorsBytes,
  writeSafetensors,
  type TensorData,
} from '../../../test/fixtures/hub/write-safetensors.ts'
import { float32ToBfloat16, float32ToFloat16, readSafetensors, readTensor } from '../../weights/index.ts'
import type { Tensors } from '../tensors.ts'
import { mergeLoras, parseLora } from './index.ts'
import { describeLora } from './read.ts'

let folder: string
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'kinora-lora-')))
})
afterEach(() => rm(folder, { recursive: true }))

const outputs = 3
const inputs = 4
const rank = 2
const weight = [0.5, -1, 2, 0.25, 1, 1, -0.5, 4, -2, 0.125, 3, -4]
const down = [1, 0.5, -1, 2, 0.25, -0.5, 1, 0]
const up = [0.5, 1, -1, 2, 0.25, -0.5]
const layer = 'transformer_blocks.0.attn1.to_q'

/** W + factor · up · down, by hand. */
function merged(factor: number, base: readonly number[] = weight): number[] {
  return base.map((value, place) => {
    const [row, column] = [Math.floor(place / inputs), place % inputs]
    const product = [0, 1].reduce((sum, at) => sum + up[row * rank + at]! * down[at * inputs + column]!, 0)
    return value + factor * product
  })
}

async function file(name: string, tensors: Record<string, TensorData>, metadata?: Record<string, string>) {
  return writeSafetensors(join(folder, name), tensors, metadata)
}

async function model(base: TensorData = float32(weight, [outputs, inputs]), more: Record<string, TensorData> = {}) {
  const tensors = { [`${layer}.weight`]: base, 'norm.weight': float32([1, 2]), ...more }
  return (await readSafetensors(await file('model.safetensors', tensors))).tensors
}

function lora(downName: string, upName: string, more: Record<string, TensorData> = {}): Record<string, TensorData> {
  return { [downName]: float32(down, [rank, inputs]), [upName]: float32(up, [outputs, rank]), ...more }
}

const plain = lora(`transformer.${layer}.lora_A.weight`, `transformer.${layer}.lora_B.weight`)

async function valuesOf(tensors: Tensors): Promise<number[]> {
  return [...(await readTensor(tensors.get(`${layer}.weight`)!))]
}

async function merge(base: Tensors, ...chosen: string[]): Promise<Tensors> {
  const { tensors, beside } = await mergeLoras(base, chosen.map(parseLora), {
    folder: join(folder, 'cache'),
    eightBits: 'bf16',
  })
  expect(beside.size).toBe(0)
  return tensors
}

describe('the product of the two halves is added to the weight', () => {
  test.each([
    [`transformer.${layer}.lora_A.weight`, `transformer.${layer}.lora_B.weight`],
    [`diffusion_model.${layer}.lora_A.weight`, `diffusion_model.${layer}.lora_B.weight`],
    [`diffusion_model.${layer}.lora_down.weight`, `diffusion_model.${layer}.lora_up.weight`],
    [`model.diffusion_model.${layer}.lora_down.weight`, `model.diffusion_model.${layer}.lora_up.weight`],
    [`base_model.model.${layer}.lora_A.default.weight`, `base_model.model.${layer}.lora_B.default.weight`],
    [`${layer}.lora_A.weight`, `${layer}.lora_B.weight`],
    [
      `lora_unet_${layer.replaceAll('.', '_')}.lora_down.weight`,
      `lora_unet_${layer.replaceAll('.', '_')}.lora_up.weight`,
    ],
  ])('under the name %s', async (downName, upName) => {
    const path = await file('style.safetensors', lora(downName, upName))
    expect(await valuesOf(await merge(await model(), path))).toEqual(merged(1).map(Math.fround))
  })

  test('by the strength that was asked for, and alpha by rank', async () => {
    const more = { [`transformer.${layer}.alpha`]: float32([4], []) }
    const path = await file('style.safetensors', { ...plain, ...more })
    expect(await valuesOf(await merge(await model(), `${path}=0.5`))).toEqual(merged(0.5 * (4 / rank)).map(Math.fround))
    expect(await valuesOf(await merge(await model(), `${path}=-1`))).toEqual(merged(-(4 / rank)).map(Math.fround))
  })

  test('by the alpha of its header', async () => {
    const say = (settings: object) => ({ lora_adapter_metadata: JSON.stringify(settings) })
    const path = await file('style.safetensors', plain, say({ 'transformer.lora_alpha': 1, 'transformer.r': rank }))
    expect(await valuesOf(await merge(await model(), path))).toEqual(merged(1 / rank).map(Math.fround))
    const rooted = say({ 'transformer.lora_alpha': 4, 'transformer.use_rslora': true })
    const other = await file('rooted.safetensors', plain, rooted)
    const expected = merged(4 / Math.sqrt(rank))
    for (const [place, value] of (await valuesOf(await merge(await model(), other))).entries())
      expect(value).toBeCloseTo(expected[place]!, 5)
  })

  test('of several one after the other', async () => {
    const first = await file('first.safetensors', plain)
    const second = await file('second.safetensors', plain)
    expect(await valuesOf(await merge(await model(), `${first}=0.5`, `${second}=0.25`))).toEqual(
      merged(0.75).map(Math.fround),
    )
  })
})

describe('what was merged', () => {
  const half = (values: Uint16Array): Uint8Array => new Uint8Array(values.buffer)

  test.each([
    ['BF16', half(float32ToBfloat16(Float32Array.from(weight))), float32ToBfloat16],
    ['F16', half(float32ToFloat16(Float32Array.from(weight))), float32ToFloat16],
  ] as const)('keeps the format %s, rounded once', async (dtype, bytes, round) => {
    const path = await file('style.safetensors', plain)
    const tensors = await merge(await model({ dtype, shape: [outputs, inputs], bytes }), `${path}=0.3`)
    const entry = tensors.get(`${layer}.weight`)!
    expect(entry.dtype).toBe(dtype)
    const { values } = { values: await valuesOf(tensors) }
    expect([...round(Float32Array.from(values))]).toEqual([...round(Float32Array.from(merged(Math.fround(0.3))))])
  })

  test('becomes bf16 where the weight has 8 bits, its scale included', async () => {
    const bytes = Uint8Array.from([0x30, 0xb8, 0x40, 0x28, 0x38, 0x38, 0xb0, 0x48, 0xc0, 0x20, 0x44, 0xc8])
    const base = await model(
      { dtype: 'F8_E4M3', shape: [outputs, inputs], bytes },
      { [`${layer}.weight_scale`]: float32([0.5], []) },
    )
    const tensors = await merge(base, await file('style.safetensors', plain))
    expect(tensors.get(`${layer}.weight`)?.dtype).toBe('BF16')
    const expected = merged(
      1,
      weight.map((value) => value / 2),
    )
    const rounded = float32ToBfloat16(Float32Array.from(expected))
    expect([...float32ToBfloat16(Float32Array.from(await valuesOf(tensors)))]).toEqual([...rounded])
  })

  test('or stays as it is, with the LoRA beside it', async () => {
    const bytes = new Uint8Array(outputs * inputs)
    const more = { 'other.weight': float32(weight, [outputs, inputs]) }
    const base = await model({ dtype: 'F8_E5M2', shape: [outputs, inputs], bytes }, more)
    const both = { ...plain, ...lora('other.lora_A.weight', 'other.lora_B.weight') }
    const path = await file('style.safetensors', both)
    const { tensors, beside } = await mergeLoras(base, [{ path, strength: 0.5 }], { folder: join(folder, 'cache') })
    expect(tensors.get(`${layer}.weight`)).toEqual(base.get(`${layer}.weight`))
    expect([...(await readTensor(tensors.get('other.weight')!))]).toEqual(merged(0.5).map(Math.fround))
    expect([...beside.keys()]).toEqual([`${layer}.weight`])
    expect(beside.get(`${layer}.weight`)).toMatchObject([{ factor: 0.5, down: { shape: [rank, inputs] } }])
  })

  test('is made once, in a file with the changed weights alone; the others stay where they are', async () => {
    const base = await model()
    const path = await file('style.safetensors', plain)
    const tensors = await merge(base, path)
    const { file: cached } = tensors.get(`${layer}.weight`)!
    expect(cached.startsWith(join(folder, 'cache'))).toBe(true)
    expect([...(await readSafetensors(cached)).tensors.keys()]).toEqual([`${layer}.weight`])
    expect(tensors.get('norm.weight')).toEqual(base.get('norm.weight'))
    const before = await stat(cached)
    expect((await merge(base, path)).get(`${layer}.weight`)?.file).toBe(cached)
    expect((await stat(cached)).mtimeMs).toBe(before.mtimeMs)
    expect((await merge(base, `${path}=0.5`)).get(`${layer}.weight`)?.file).not.toBe(cached)
    const files = (await readdir(join(folder, 'cache'))).filter((name) => name.endsWith('.safetensors'))
    expect(files).toHaveLength(2)
  })
})

describe('what does not fit is refused by name', () => {
  const refusal = async (tensors: Record<string, TensorData>, metadata?: Record<string, string>) => {
    const path = await file('style.safetensors', tensors, metadata)
    const made = merge(await model(), path)
    await expect(made).rejects.toMatchObject({ name: 'EngineError', code: 'lora_mismatch' })
    return made.catch((error: Error) => error.message)
  }

  test('a layer that the checkpoint does not have', async () => {
    const other = lora('transformer.blocks.7.attn.lora_A.weight', 'transformer.blocks.7.attn.lora_B.weight')
    expect(await refusal({ ...plain, ...other })).toMatch(
      /The LoRA style\.safetensors has 2 of 4 tensors that fit nothing in this checkpoint \(transformer\.blocks\.7\.attn\.lora_A\.weight, transf/,
    )
  })

  test('a part of another kind', async () => {
    const more = { [`transformer.${layer}.dora_scale`]: float32([1, 1, 1], [3, 1]) }
    expect(await refusal({ ...plain, ...more })).toMatch(/fit nothing in this checkpoint \(transformer\..*dora_scale\)/)
  })

  test('another size', async () => {
    const small = {
      [`${layer}.lora_A.weight`]: float32([1, 2], [1, 2]),
      [`${layer}.lora_B.weight`]: float32([1], [1, 1]),
    }
    expect(await refusal(small)).toMatch(/to_q\.weight by \[1, 1\] x \[1, 2\], but the checkpoint's is \[3, 4\]/)
  })

  test('one half without the other, and no halves at all', async () => {
    expect(await refusal({ [`${layer}.lora_A.weight`]: float32(down, [rank, inputs]) })).toMatch(/only one half for tr/)
    expect(await refusal({})).toMatch(/holds no LoRA at all/)
  })

  test('alphas that differ from layer to layer only in the header', async () => {
    const settings = { 'transformer.lora_alpha': 4, 'transformer.alpha_pattern': { to_q: 2 } }
    expect(await refusal(plain, { lora_adapter_metadata: JSON.stringify(settings) })).toMatch(/has a alpha_pattern/)
  })

  test('a file that is none', async () => {
    await writeFile(join(folder, 'broken.safetensors'), safetensorsBytes(plain).subarray(0, -4))
    await expect(merge(await model(), join(folder, 'broken.safetensors'))).rejects.toMatchObject({
      code: 'file_truncated',
    })
  })
})

test('what a file holds is told without its checkpoint', async () => {
  const path = await file('style.safetensors', plain)
  expect(await describeLora(`${path}=0.8`)).toBe('style.safetensors x 0.8: 1 layers of rank 2')
  const other = await file('other.safetensors', { weight: float32([1]) })
  await expect(describeLora(other)).rejects.toMatchObject({ code: 'lora_mismatch' })
  await expect(describeLora(join(folder, 'gone.safetensors'))).rejects.toMatchObject({ code: 'file_missing' })
})

test.each([
  ['style.safetensors', { path: 'style.safetensors', strength: 1 }],
  ['/models/style.safetensors=0.8', { path: '/models/style.safetensors', strength: 0.8 }],
  ['style.safetensors=-1', { path: 'style.safetensors', strength: -1 }],
  ['a=b.safetensors', { path: 'a=b.safetensors', strength: 1 }],
  ['a=b.safetensors=0', { path: 'a=b.safetensors', strength: 0 }],
])('%s is understood', (text, choice) => {
  expect(parseLora(text)).toEqual(choice)
})

test.each(['style.safetensors=', 'style.safetensors=much', '=0.5'])('%s is not', (text) => {
  expect(() => parseLora(text)).toThrow(/a strength that is no number\. Write FILE or FILE=STRENGTH/)
})
