/**
 * Writes a checkpoint of real size with random weights, in diffusers' folder layout: for measuring time and memory where the real weights may not or
 * cannot be had. What it generates is noise.
 */

import { cp, mkdir, open, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createGenerator } from '../src/flow/torch-random.ts'
import { float32ToBfloat16 } from '../src/weights/index.ts'

const fixtures = fileURLToPath(new URL('../test/fixtures/ltx', import.meta.url))

export interface RandomCheckpointOptions {
  /** How the transformer's and the text encoder's weights are stored; the autoencoder's are fp32 as on the hub. @default 'BF16' */
  readonly dtype?: 'BF16' | 'F32'
  /** Fewer layers, for quick looks. @default all */
  readonly textLayers?: number
  readonly transformerLayers?: number
  readonly log?: (line: string) => void
}

/** LTX-Video 0.9.0: the 2B transformer, T5-XXL and the 0.9.0 autoencoder. Nothing happens where it is there already. */
export async function writeRandomCheckpoint(folder: string, options: RandomCheckpointOptions = {}): Promise<void> {
  const { dtype = 'BF16', log = () => {} } = options
  if (await exists(join(folder, 'model_index.json'))) return
  const small = join(fixtures, 'v090', 'checkpoint')
  await mkdir(folder, { recursive: true })
  await cp(join(small, 'scheduler'), join(folder, 'scheduler'), { recursive: true })
  await cp(join(small, 'tokenizer'), join(folder, 'tokenizer'), { recursive: true })
  const parts = [
    {
      part: 'vae',
      manifest: 'vae-0.9.0',
      dtype: 'F32',
      file: 'diffusion_pytorch_model.safetensors',
      layers: undefined,
    },
    {
      part: 'transformer',
      manifest: 'transformer-2b',
      dtype,
      file: 'diffusion_pytorch_model.safetensors',
      layers: options.transformerLayers,
    },
    {
      part: 'text_encoder',
      manifest: 'text-encoder-t5-v1_1-xxl',
      dtype,
      file: 'model.safetensors',
      layers: options.textLayers,
    },
  ] as const
  for (const [seed, { part, manifest, dtype: stored, file, layers }] of parts.entries()) {
    log(`writing random weights: ${part}`)
    const text = await readFile(join(fixtures, 'manifests', `${manifest}.json`), 'utf8')
    const { tensors }: Manifest = JSON.parse(text)
    const kept = Object.entries(tensors).filter(([name]) => layers === undefined || layerOf(name) < layers)
    await mkdir(join(folder, part), { recursive: true })
    await writeFile(join(folder, part, 'config.json'), configText(text, layers))
    await writeTensors(join(folder, part, file), kept, stored, seed)
  }
  await cp(join(small, 'model_index.json'), join(folder, 'model_index.json'))
}

interface Manifest {
  readonly tensors: Record<string, number[]>
}

/** The config as it is written there: transformers tells 1.0 from 1, JavaScript does not. */
function configText(manifest: string, layers: number | undefined): string {
  const text = manifest.slice(manifest.indexOf('{', 1), manifest.lastIndexOf('"tensors"')).trimEnd().replace(/,$/, '')
  return layers === undefined ? text : text.replace(/"num_layers": \d+/, `"num_layers": ${layers}`)
}

function layerOf(name: string): number {
  return Number(/(?:block|transformer_blocks)\.(\d+)\./.exec(name)?.[1] ?? 0)
}

async function writeTensors(
  file: string,
  tensors: readonly (readonly [string, readonly number[]])[],
  dtype: 'BF16' | 'F32',
  seed: number,
): Promise<void> {
  const bytes = dtype === 'BF16' ? 2 : 4
  const count = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1)
  let offset = 0
  const header: Record<string, unknown> = {}
  for (const [name, shape] of tensors) {
    header[name] = { dtype, shape, data_offsets: [offset, offset + count(shape) * bytes] }
    offset += count(shape) * bytes
  }
  const json = Buffer.from(JSON.stringify({ __metadata__: { format: 'pt' }, ...header }))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  const handle = await open(file, 'w')
  await handle.write(Buffer.concat([length, json]))
  const noise = createGenerator(seed).normal(1 << 21)
  for (const [name, shape] of tensors) await writeTensor(handle, name, shape, noise, dtype)
  await handle.close()
}

/** Repeats one block of noise, scaled as an initialised network's: what goes in with variance 1 comes out with about that. */
async function writeTensor(
  handle: Awaited<ReturnType<typeof open>>,
  name: string,
  shape: readonly number[],
  noise: Float32Array,
  dtype: 'BF16' | 'F32',
): Promise<void> {
  const inputs = shape.length > 1 ? shape.slice(1).reduce((product, size) => product * size, 1) : 1
  const isNorm = shape.length === 1 && /norm|std/.test(name) && !name.endsWith('bias')
  const scale = name.includes('shared') ? 1 : shape.length > 1 ? 1 / Math.sqrt(inputs) : 0.02
  // T5 has no factor 1/sqrt(head size) in its attention: its queries are initialised that much smaller.
  const smaller = name.endsWith('SelfAttention.q.weight') ? 1 / 8 : 1
  const block = noise.map((value) => (isNorm ? 1 : 0) + value * scale * smaller)
  const encoded = Buffer.from((dtype === 'BF16' ? float32ToBfloat16(block) : block).buffer)
  let left = shape.reduce((product, size) => product * size, 1) * (dtype === 'BF16' ? 2 : 4)
  while (left > 0) {
    const { bytesWritten } = await handle.write(encoded, 0, Math.min(left, encoded.length))
    left -= bytesWritten
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
