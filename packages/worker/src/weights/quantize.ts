/**
 * Makes an int8 edition of a checkpoint's linear layers, once, into a file of its own beside the cache's other weights.
 *
 * The file is a safetensors file. For each weight `name` of shape [outputs, inputs] it holds
 * - `name`, I8 [inputs, outputs]: the integers, transposed, as ONNX Runtime's int8 product wants its right side;
 * - `name.scale`, F32 [outputs]: weight[o, i] ≈ integer[i, o] * scale[o], with scale[o] = max |weight[o, ·]| / 127.
 * `__metadata__` says `format`, `sources` (JSON: the files it was made from, with size and time) and `sha256` (of everything after the header).
 */
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { checkDiskSpace, diskFull } from './disk-space.ts'
import { withFileLock } from './file-lock.ts'
import type { Int8Source } from './int8-cache.ts'
import { quantizeTensor } from './quantize-tensor.ts'
import { readSafetensors, type TensorEntry } from './safetensors.ts'
import { WeightsError } from './weights-error.ts'

/** One layer's int8 edition, where it lies. */
export interface Int8Weight {
  /** I8 [inputs, outputs]. */
  readonly values: TensorEntry
  /** F32 [outputs]. */
  readonly scales: TensorEntry
}

export interface QuantizeProgress {
  /** The weight that is being made. */
  readonly tensor: string
  /** Bytes written, those of an earlier run included. */
  readonly bytesDone: number
  readonly bytesTotal: number
}

export interface QuantizeOptions {
  /** The weights, each `[outputs, inputs]`, in any floating-point format. */
  readonly tensors: readonly TensorEntry[]
  /** The folder that caches such files; the file's name comes from what it is made of. */
  readonly folder: string
  /** Stops between two tensors; what is written stays and is taken up by the next run. */
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: QuantizeProgress) => void) | undefined
  /** Reads the whole file and compares its hash, also when it was already there. Default: false, as it is checked when made. */
  readonly verify?: boolean
  /** How much the folder's disk has left. Default: asks the system. */
  readonly freeBytes?: (folder: string) => Promise<number>
}

const FORMAT = 'kinora-int8-1'
const SCALE_SUFFIX = '.scale'
const HASH_PLACEHOLDER = '0'.repeat(64)

/**
 * Returns the int8 edition of the weights, from the cache or made now: streaming (one tensor's integers are in memory, and a part of its source),
 * resumed after an interruption, by one process at a time, and under its final name only when it is whole.
 * @throws WeightsError `disk_full` before anything is written; `not_finite` for a weight with NaN or infinity; `hash_mismatch` when `verify` finds damage
 */
export async function quantizeWeights(options: QuantizeOptions): Promise<ReadonlyMap<string, Int8Weight>> {
  const { folder, tensors, signal } = options
  if (tensors.length === 0) return new Map()
  const sources = await sourcesOf(tensors)
  const file = join(folder, `${fingerprint(tensors, sources)}.safetensors`)
  await withFileLock(`${file}.lock`, () => make(file, sources, options), { signal })
  return openInt8(file)
}

/**
 * Reads the whole file and compares it with the hash in its header.
 * @throws WeightsError `hash_mismatch`
 */
export async function verifyInt8(file: string): Promise<void> {
  const { metadata, tensors } = await readSafetensors(file)
  const dataStart = Math.min(...[...tensors.values()].map((entry) => entry.offset))
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file, { start: dataStart })) hash.update(chunk)
  if (hash.digest('hex') === metadata.sha256) return
  throw new WeightsError(
    'hash_mismatch',
    file,
    `${file} has changed since it was made. Delete it; it is made anew from the checkpoint.`,
  )
}

async function make(file: string, sources: readonly Int8Source[], options: QuantizeOptions): Promise<void> {
  if (await exists(file)) {
    if (options.verify) await verifyInt8(file)
    return
  }
  const part = `${file}.part`
  const layout = planLayout(options.tensors, sources)
  const kept = await wholeTensors(part, layout)
  await checkDiskSpace(options.folder, layout.end - (kept.end ?? 0), options.freeBytes)
  try {
    await write(part, layout, kept.count, options)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC')
      throw diskFull(options.folder, 'it filled up while the int8 weights were written', error)
    throw error
  }
  await rename(part, file)
}

interface Layout {
  readonly header: Buffer
  /** Where the hash stands in the header. */
  readonly hashAt: number
  readonly places: readonly { readonly entry: TensorEntry; readonly begin: number; readonly end: number }[]
  readonly end: number
}

/** Everything but the hash is known beforehand, so the header comes first and the hash is filled in at the end. */
function planLayout(tensors: readonly TensorEntry[], sources: readonly Int8Source[]): Layout {
  const described: Record<string, unknown> = {
    __metadata__: { format: FORMAT, sources: JSON.stringify(sources), sha256: HASH_PLACEHOLDER },
  }
  const sizes = tensors.map((entry) => {
    const [outputs, inputs] = matrixShape(entry)
    return { entry, scaleBytes: outputs * 4, valueBytes: outputs * inputs, outputs, inputs }
  })
  // All tensors of both kinds lie in the order in which they are written: the scales of a weight, then its integers.
  let offset = 0
  for (const { entry, scaleBytes, valueBytes, outputs, inputs } of sizes) {
    const middle = offset + scaleBytes
    described[entry.name + SCALE_SUFFIX] = { dtype: 'F32', shape: [outputs], data_offsets: [offset, middle] }
    described[entry.name] = { dtype: 'I8', shape: [inputs, outputs], data_offsets: [middle, middle + valueBytes] }
    offset = middle + valueBytes
  }
  const json = JSON.stringify(described)
  const text = json.padEnd(Math.ceil(json.length / 8) * 8, ' ')
  const header = Buffer.alloc(8 + Buffer.byteLength(text))
  header.writeBigUInt64LE(BigInt(header.length - 8))
  header.write(text, 8)
  let begin = header.length
  const places = sizes.map(({ entry, scaleBytes, valueBytes }) => {
    const place = { entry, begin, end: begin + scaleBytes + valueBytes }
    begin = place.end
    return place
  })
  return { header, hashAt: header.indexOf(HASH_PLACEHOLDER), places, end: begin }
}

/** How many tensors an interrupted run has left whole. */
async function wholeTensors(part: string, layout: Layout): Promise<{ count: number; end?: number }> {
  const handle = await open(part, 'r').catch(() => undefined)
  if (!handle) return { count: 0 }
  try {
    const header = Buffer.alloc(layout.header.length)
    await handle.read(header, 0, header.length, 0)
    if (!header.equals(layout.header)) return { count: 0 }
    const { size } = await handle.stat()
    const whole = layout.places.filter((place) => place.end <= size)
    return { count: whole.length, end: whole.at(-1)?.end ?? layout.header.length }
  } finally {
    await handle.close()
  }
}

async function write(part: string, layout: Layout, keep: number, options: QuantizeOptions): Promise<void> {
  await mkdir(dirname(part), { recursive: true })
  const handle = await open(part, keep > 0 ? 'r+' : 'w+')
  try {
    const hash = createHash('sha256')
    if (keep === 0) await handle.write(layout.header, 0, layout.header.length, 0)
    else await hashKept(part, hash, layout, keep)
    for (const place of layout.places.slice(keep)) {
      options.signal?.throwIfAborted()
      options.onProgress?.({ tensor: place.entry.name, bytesDone: place.begin, bytesTotal: layout.end })
      const { scales, values } = await quantizeTensor(place.entry)
      const scaleBytes = new Uint8Array(scales.buffer)
      hash.update(scaleBytes).update(values)
      await writeFully(handle, scaleBytes, place.begin)
      await writeFully(handle, new Uint8Array(values.buffer), place.begin + scaleBytes.length)
      await handle.datasync()
    }
    await handle.truncate(layout.end)
    await handle.write(hash.digest('hex'), layout.hashAt)
    await handle.sync()
    options.onProgress?.({
      tensor: layout.places.at(-1)?.entry.name ?? '',
      bytesDone: layout.end,
      bytesTotal: layout.end,
    })
  } finally {
    await handle.close()
  }
}

async function hashKept(
  part: string,
  hash: ReturnType<typeof createHash>,
  layout: Layout,
  keep: number,
): Promise<void> {
  const end = layout.places[keep - 1]?.end ?? layout.header.length
  for await (const chunk of createReadStream(part, { start: layout.header.length, end: end - 1 })) hash.update(chunk)
}

async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

async function openInt8(file: string): Promise<ReadonlyMap<string, Int8Weight>> {
  const { tensors } = await readSafetensors(file)
  const weights = new Map<string, Int8Weight>()
  for (const [name, values] of tensors) {
    const scales = tensors.get(name + SCALE_SUFFIX)
    if (values.dtype === 'I8' && scales) weights.set(name, { values, scales })
  }
  return weights
}

/** What the file is made from, as a hash: other names, shapes, places, or a source file that was replaced, make another one. */
function fingerprint(tensors: readonly TensorEntry[], sources: readonly Int8Source[]): string {
  const hash = createHash('sha256').update(FORMAT)
  for (const { file, size, modified } of sources) hash.update(JSON.stringify([basename(file), size, modified]))
  for (const { name, file, offset, dtype, shape } of tensors) {
    hash.update(JSON.stringify([name, basename(file), offset, dtype, shape]))
  }
  return hash.digest('hex').slice(0, 40)
}

async function sourcesOf(tensors: readonly TensorEntry[]): Promise<Int8Source[]> {
  const files = [...new Set(tensors.map((entry) => entry.file))]
  return Promise.all(
    files.map(async (file) => {
      const { size, mtimeMs: modified } = await stat(file)
      return { file, size, modified }
    }),
  )
}

function matrixShape(entry: TensorEntry): readonly [outputs: number, inputs: number] {
  const [outputs, inputs, ...rest] = entry.shape
  if (outputs !== undefined && inputs !== undefined && rest.length === 0) return [outputs, inputs]
  throw new RangeError(
    `${entry.name} is [${entry.shape.join(', ')}], but only matrices [outputs, inputs] are quantized`,
  )
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  )
}
