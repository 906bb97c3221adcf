/** What people bring: files of other tools, files that lost something, files of other kinds. */

import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { withHeader } from '../../../../test/fixtures/hub/write-safetensors.ts'
import { seededDraws } from '../../../flow/draws.ts'
import { float32Tensor } from '../../../onnx/index.ts'
import { createLtxEngine } from '../engine.ts'
import type { CheckpointLocation } from '../pipeline.ts'
import { openCheckpoint } from './checkpoint.ts'
import { generateLatents } from './generate.ts'
import { createModels } from './models.ts'
import { chooseRecipe } from './recipes.ts'

const fixtures = fileURLToPath(new URL('../../../../test/fixtures/ltx', import.meta.url))
const parts = ['text_encoder', 'tokenizer'] as const
const name = 'ltxv-2b-tiny.safetensors'

interface Header {
  readonly [tensor: string]: { dtype: string; shape: number[]; data_offsets: [number, number] }
}

let root: string
let header: Header
let metadata: { config: string }
let data: Uint8Array
let plain: Float32Array

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'kinora-odd-'))
  const bytes = await readFile(join(fixtures, 'v095-single-file', name))
  const length = Number(bytes.readBigUInt64LE())
  const { __metadata__, ...tensors } = JSON.parse(bytes.subarray(8, 8 + length).toString())
  header = tensors
  metadata = __metadata__
  data = bytes.subarray(8 + length)
  plain = await latentsOf({ path: await file('plain', header) })
})
afterAll(() => rm(root, { recursive: true }))

/** A checkpoint in a folder of its own, with a text encoder beside it. */
async function file(
  folder: string,
  tensors: object,
  options: { metadata?: object | undefined; data?: Uint8Array; pad?: number } = {},
): Promise<string> {
  const home = join(root, folder)
  await mkdir(home)
  for (const part of parts) await cp(join(fixtures, 'v095', 'checkpoint', part), join(home, part), { recursive: true })
  const said = 'metadata' in options ? options.metadata : metadata
  const text = JSON.stringify({ ...(said && { __metadata__: said }), ...tensors }) + ' '.repeat(options.pad ?? 0)
  await writeFile(join(home, name), withHeader(text, options.data ?? data))
  return join(home, name)
}

function renamed(replacement: string): object {
  return Object.fromEntries(
    Object.entries(header).map(([key, value]) => [key.replace('model.diffusion_model.', replacement), value]),
  )
}

/** With a tensor more, at the end. */
function extra(tensor: string, dtype: string, shape: number[], bytes: number): [object, { data: Uint8Array }] {
  const place = { dtype, shape, data_offsets: [data.length, data.length + bytes] }
  return [{ ...header, [tensor]: place }, { data: Buffer.concat([data, new Uint8Array(bytes)]) }]
}

/** Without the tensors of a part. */
function without(prefix: string): [object, { data: Uint8Array }] {
  const kept: Header = {}
  const chunks: Uint8Array[] = []
  let offset = 0
  for (const [key, entry] of Object.entries(header)) {
    if (key.startsWith(prefix)) continue
    const chunk = data.subarray(...entry.data_offsets)
    Object.assign(kept, { [key]: { ...entry, data_offsets: [offset, offset + chunk.length] } })
    chunks.push(chunk)
    offset += chunk.length
  }
  return [kept, { data: Buffer.concat(chunks) }]
}

/** One step of a small video. */
async function latentsOf(location: CheckpointLocation): Promise<Float32Array> {
  const checkpoint = await openCheckpoint(location)
  const models = await createModels(checkpoint)
  const settings = {
    prompt: 'snow',
    negativePrompt: '',
    pictures: [{ at: (width: number, height: number) => float32Tensor([1, 3, 1, height, width]) }],
    width: 64,
    height: 64,
    frames: 9,
    framesPerSecond: 8,
    recipe: { ...chooseRecipe(checkpoint, '2b-0.9.5'), first: { steps: 1 } },
  }
  const latents = await generateLatents(models, settings, seededDraws(1))
  await models.close()
  return latents.data
}

async function refusal(path: string, parts = {}): Promise<{ code: string; message: string }> {
  const opened = createLtxEngine({ modelPath: path, provider: 'cpu', parts })
  const error: unknown = await opened.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toMatchObject({ name: 'EngineError', code: expect.any(String), message: expect.any(String) })
  return error as { code: string; message: string }
}

describe('runs, and makes the same video', () => {
  test.each([1, 2, 3])('%i bytes off every boundary', async (pad) => {
    expect(await latentsOf({ path: await file(`unaligned-${pad}`, header, { pad }) })).toEqual(plain)
  })

  test.each([
    ['lora.alpha', 'F32', [], 4],
    ['unused.f8', 'F8_E4M3', [7], 7],
    ['unused.scale', 'F8_E8M0', [7], 7],
    ['unused.c64', 'C64', [1], 8],
    ['unused.blocks', 'Q4_K', [256], 144],
  ] as const)('with a tensor %s of %s that nothing reads', async (tensor, dtype, shape, bytes) => {
    const [tensors, options] = extra(tensor, dtype, [...shape], bytes)
    expect(await latentsOf({ path: await file(tensor, tensors, options) })).toEqual(plain)
  })

  test.each(['', 'diffusion_model.', 'transformer.', 'my.own.place.'])(
    'with "%s" before the names of its transformer',
    async (prefix) => {
      expect(await latentsOf({ path: await file(`prefix-${prefix}`, renamed(prefix)) })).toEqual(plain)
    },
  )

  test('without a prefix before the names of its VAE', async () => {
    const bare = Object.fromEntries(Object.entries(header).map(([key, value]) => [key.replace(/^vae\./, ''), value]))
    expect(await latentsOf({ path: await file('bare-vae', bare) })).toEqual(plain)
  })

  test('without a configuration, with one of the authors beside it', async () => {
    const path = await file('config-beside', header, { metadata: undefined })
    await writeFile(path.replace('.safetensors', '.json'), metadata.config)
    expect(await latentsOf({ path })).toEqual(plain)
  })

  test("without a configuration, with that of diffusers' transformer beside it: the rest is told from the tensors", async () => {
    const path = await file('transformer-config-beside', header, { metadata: undefined })
    await cp(join(fixtures, 'v095', 'checkpoint', 'transformer', 'config.json'), join(path, '..', 'config.json'))
    const checkpoint = await openCheckpoint({ path })
    expect(checkpoint.remarks).toEqual([expect.stringMatching(/carries no configuration: .* told from its tensors/)])
    expect(await latentsOf({ path })).toEqual(plain)
  })

  test('with a VAE from a folder beside it', async () => {
    const path = await file('vae-beside', ...without('vae.'))
    await cp(join(fixtures, 'v095', 'checkpoint', 'vae'), join(path, '..', 'vae'), { recursive: true })
    expect((await openCheckpoint({ path })).remarks).toEqual([`The VAE is that of ${join(path, '..', 'vae')}.`])
    expect(await latentsOf({ path })).toEqual(plain)
  })

  test('with the VAE of a file that is named', async () => {
    const path = await file('vae-named', ...without('vae.'))
    expect(await latentsOf({ path, vae: join(fixtures, 'v095-single-file', name) })).toEqual(plain)
    const alone = await file('vae-alone', ...without('model.diffusion_model.'))
    expect(await latentsOf({ path, vae: alone })).toEqual(plain)
  })
})

describe('is refused with a reason and a remedy', () => {
  test('a transformer only', async () => {
    const path = await file('no-vae', ...without('vae.'))
    expect(await refusal(path)).toMatchObject({
      code: 'unsupported_checkpoint',
      message: expect.stringMatching(/holds a transformer only\. The VAE is taken from a folder vae beside it .*--vae/),
    })
    const other = { vae: join(fixtures, 'v095', 'checkpoint', 'text_encoder') }
    expect((await refusal(path, other)).message).toMatch(/text_encoder holds no VAE of LTX-Video/)
  })

  test('a VAE only', async () => {
    expect((await refusal(await file('only-vae', ...without('model.')))).message).toMatch(
      /holds no transformer of LTX-Video/,
    )
  })

  test('no configuration, and a size that was never published', async () => {
    const { message } = await refusal(await file('no-metadata', header, { metadata: undefined }))
    expect(message).toMatch(/no configuration .*how many attention heads.*beside it \(ltxv-2b-tiny\.json/)
  })

  test('a configuration that was cut', async () => {
    const cut = { config: metadata.config.slice(0, -5) }
    expect(await refusal(await file('config-cut', header, { metadata: cut }))).toMatchObject({
      code: 'bad_config',
      message: expect.stringMatching(/__metadata__\.config is not valid JSON/),
    })
  })

  test('bytes behind the tensors, or too few', async () => {
    const more = { data: Buffer.concat([data, new Uint8Array(16)]) }
    expect((await refusal(await file('trailing', header, more))).message).toMatch(/16 bytes after .* belong to no/)
    const fewer = { data: data.subarray(0, -100) }
    expect((await refusal(await file('truncated', header, fewer))).message).toMatch(/is cut short: it has \d+ bytes/)
  })

  test('GGUF, as a file or as the folder it lies in', async () => {
    const folder = join(root, 'gguf')
    await mkdir(folder)
    const path = join(folder, 'ltxv-13b-0.9.7-dev-Q4_K_M.gguf')
    await writeFile(path, Buffer.concat([Buffer.from('GGUF'), Uint8Array.of(3, 0, 0, 0), new Uint8Array(64)]))
    for (const asked of [path, folder])
      expect(await refusal(asked)).toMatchObject({
        code: 'model_broken',
        message: expect.stringMatching(/Q4_K_M\.gguf is a GGUF file.*safetensors edition.*fp8.*int8/),
      })
  })

  test('a folder with files in it, but not in the layout', async () => {
    const path = await file('layout', header)
    expect((await refusal(join(path, '..'))).message).toMatch(/holds ltxv-2b-tiny\.safetensors. Name the file/)
  })

  test('a LoRA in place of a checkpoint', async () => {
    const folder = join(root, 'lora')
    await mkdir(folder)
    const entry = { dtype: 'F32', shape: [1, 1], data_offsets: [0, 4] }
    const text = JSON.stringify({ 'transformer.transformer_blocks.0.attn1.to_q.lora_A.weight': entry })
    await writeFile(join(folder, name), withHeader(text, new Uint8Array(4)))
    expect((await refusal(join(folder, name))).message).toMatch(/is a LoRA, not a checkpoint\. Name it in LORA/)
  })

  async function shards(folder: string, change: (map: Record<string, string>, index: string) => Promise<void>) {
    const home = join(root, folder)
    await cp(join(fixtures, 'v090', 'checkpoint'), home, { recursive: true })
    const index = join(home, 'transformer', 'diffusion_pytorch_model.safetensors.index.json')
    await change(JSON.parse(await readFile(index, 'utf8')).weight_map, index)
    return home
  }

  test('shards whose index is missing', async () => {
    const home = await shards('index-missing', (_, index) => rm(index))
    expect((await refusal(home)).message).toMatch(
      /holds 2 shards \(diffusion_pytorch_model-00001.*their index is missing \(diffusion_pytorch_model\.safetensors\.index\.json\)/,
    )
  })

  test('an index that names tensors or shards that are not there', async () => {
    const moved = async (map: Record<string, string>, index: string) => {
      const names = [...new Set(Object.values(map))].toSorted()
      const some = Object.keys(map).find((key) => map[key] === names[0]) ?? ''
      await writeFile(index, JSON.stringify({ weight_map: { ...map, [some]: names.at(-1) } }))
    }
    expect((await refusal(await shards('index-moved', moved))).message).toMatch(/says that .* is in .*, but it is not/)
    const ghost = async (map: Record<string, string>, index: string) =>
      writeFile(index, JSON.stringify({ weight_map: { ...map, 'ghost.weight': Object.values(map)[0] } }))
    expect((await refusal(await shards('index-extra', ghost))).message).toMatch(/says that ghost\.weight is in/)
  })
})
