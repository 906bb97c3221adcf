/**
 * Files that are made from others, once, and kept in a cache: int8 editions of weights, weights with LoRAs merged into them. Each is a safetensors file;
 * `__metadata__` says `format`, `sources` (JSON: the files it was made from, with size and time) and `sha256` (of everything after the header).
 */
import { createHash, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, rename, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { DerivedSource } from './derived-cache.ts'
import { checkDiskSpace, diskFull } from './disk-space.ts'
import { bytesPerElement, elementCount, type Dtype } from './dtype.ts'
import { withFileLock } from './file-lock.ts'
import { readSafetensors, type TensorEntry } from './safetensors.ts'
import { WeightsError } from './weights-error.ts'

/** Tensors that are made together, and lie in the file one after the other. */
export interface DerivedPart {
  readonly tensors: readonly { readonly name: string; readonly dtype: Dtype; readonly shape: readonly number[] }[]
  /** The bytes of each. */
  readonly make: () => Promise<readonly Uint8Array[]>
}

export interface DerivedProgress {
  /** The tensor that is being made. */
  readonly tensor: string
  /** Bytes written, those of an earlier run included. */
  readonly bytesDone: number
  readonly bytesTotal: number
}

export interface DerivedOptions {
  /** The folder that caches such files; the file's name comes from what it is made of. */
  readonly folder: string
  /** Stops between two parts; what is written stays and is taken up by the next run. */
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: DerivedProgress) => void) | undefined
  /** Reads the whole file and compares its hash, also when it was already there. Default: false, as it is checked when made. */
  readonly verify?: boolean
  /** How much the folder's disk has left. Default: asks the system. */
  readonly freeBytes?: (folder: string) => Promise<number>
}

export interface Derivation {
  /** Name and version of what is made. */
  readonly format: string
  /** The tensors it is made from: other names, shapes, places, or a source file that was replaced, make another file. */
  readonly from: readonly TensorEntry[]
  /** What else decides the content. @default nothing */
  readonly by?: string
  readonly parts: readonly DerivedPart[]
}

const HASH_PLACEHOLDER = '0'.repeat(64)

/**
 * The path of the file, from the cache or made now: streaming (one part is in memory), resumed after an interruption, by one process at a time, and under
 * its final name only when it is whole.
 * @throws WeightsError `disk_full` before anything is written; `hash_mismatch` when `verify` finds damage; whatever the parts throw
 */
export async function derivedFile(derivation: Derivation, options: DerivedOptions): Promise<string> {
  const sources = await sourcesOf(derivation.from)
  const file = join(options.folder, `${fingerprint(derivation, sources)}.safetensors`)
  await withFileLock(`${file}.lock`, () => make(file, derivation, sources, options), { signal: options.signal })
  return file
}

/**
 * Reads the whole file and compares it with the hash in its header.
 * @throws WeightsError `hash_mismatch`
 */
export async function verifyDerived(file: string): Promise<void> {
  const { metadata, tensors } = await readSafetensors(file)
  const dataStart = Math.min(...[...tensors.values()].map((entry) => entry.offset))
  const hash = createHash('sha256')
  await hashRange(hash, file, dataStart)
  if (hash.digest('hex') === metadata.sha256) return
  throw new WeightsError(
    'hash_mismatch',
    file,
    `${file} has changed since it was made. Delete it; it is made anew from the checkpoint.`,
  )
}

async function make(
  file: string,
  derivation: Derivation,
  sources: readonly DerivedSource[],
  options: DerivedOptions,
): Promise<void> {
  if (await exists(file)) {
    if (options.verify) await verifyDerived(file)
    return
  }
  const part = `${file}.part`
  const layout = planLayout(derivation, sources)
  const kept = await wholeParts(part, layout)
  await checkDiskSpace(options.folder, layout.end - (kept.end ?? 0), options.freeBytes)
  try {
    await write(part, layout, kept.count, options)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC')
      throw diskFull(options.folder, `it filled up while ${derivation.format} was written`, error)
    throw error
  }
  await rename(part, file)
}

interface Layout {
  readonly header: Buffer
  /** Where the hash stands in the header. */
  readonly hashAt: number
  readonly places: readonly { readonly part: DerivedPart; readonly begin: number; readonly end: number }[]
  readonly end: number
}

/** Everything but the hash is known beforehand, so the header comes first and the hash is filled in at the end. */
function planLayout({ format, parts }: Derivation, sources: readonly DerivedSource[]): Layout {
  const described: Record<string, unknown> = {
    __metadata__: { format, sources: JSON.stringify(sources), sha256: HASH_PLACEHOLDER },
  }
  let offset = 0
  const ends = parts.map(({ tensors }) => {
    for (const { name, dtype, shape } of tensors) {
      const end = offset + elementCount(shape) * bytesPerElement(dtype)
      described[name] = { dtype, shape, data_offsets: [offset, end] }
      offset = end
    }
    return offset
  })
  const json = JSON.stringify(described)
  const text = json.padEnd(Math.ceil(json.length / 8) * 8, ' ')
  const header = Buffer.alloc(8 + Buffer.byteLength(text))
  header.writeBigUInt64LE(BigInt(header.length - 8))
  header.write(text, 8)
  const places = parts.map((part, index) => ({
    part,
    begin: header.length + (ends[index - 1] ?? 0),
    end: header.length + (ends[index] ?? 0),
  }))
  return { header, hashAt: header.indexOf(HASH_PLACEHOLDER), places, end: header.length + offset }
}

/** How many parts an interrupted run has left whole. */
async function wholeParts(file: string, layout: Layout): Promise<{ count: number; end?: number }> {
  const handle = await open(file, 'r').catch(() => undefined)
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

async function write(file: string, layout: Layout, keep: number, options: DerivedOptions): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  const handle = await open(file, keep > 0 ? 'r+' : 'w+')
  try {
    const hash = createHash('sha256')
    if (keep === 0) await handle.write(layout.header, 0, layout.header.length, 0)
    else await hashRange(hash, file, layout.header.length, layout.places[keep - 1]?.end)
    for (const { part, begin } of layout.places.slice(keep)) {
      options.signal?.throwIfAborted()
      options.onProgress?.({ tensor: part.tensors.at(-1)?.name ?? '', bytesDone: begin, bytesTotal: layout.end })
      let position = begin
      for (const bytes of await part.make()) {
        hash.update(bytes)
        await writeFully(handle, bytes, position)
        position += bytes.length
      }
      await handle.datasync()
    }
    await handle.truncate(layout.end)
    await handle.write(hash.digest('hex'), layout.hashAt)
    await handle.sync()
    const last = layout.places.at(-1)?.part.tensors.at(-1)?.name ?? ''
    options.onProgress?.({ tensor: last, bytesDone: layout.end, bytesTotal: layout.end })
  } finally {
    await handle.close()
  }
}

/** @param end exclusive. Default: all of it */
async function hashRange(hash: Hash, file: string, start: number, end?: number): Promise<void> {
  const range = end === undefined ? { start } : { start, end: end - 1 }
  for await (const chunk of createReadStream(file, range)) hash.update(chunk)
}

async function writeFully(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

function fingerprint({ format, from, by = '' }: Derivation, sources: readonly DerivedSource[]): string {
  const hash = createHash('sha256').update(format)
  for (const { file, size, modified } of sources) hash.update(JSON.stringify([basename(file), size, modified]))
  for (const { name, file, offset, dtype, shape } of from)
    hash.update(JSON.stringify([name, basename(file), offset, dtype, shape]))
  return hash.update(by).digest('hex').slice(0, 40)
}

async function sourcesOf(tensors: readonly TensorEntry[]): Promise<DerivedSource[]> {
  const files = [...new Set(tensors.map((entry) => entry.file))]
  return Promise.all(
    files.map(async (file) => {
      const { size, mtimeMs: modified } = await stat(file)
      return { file, size, modified }
    }),
  )
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  )
}
