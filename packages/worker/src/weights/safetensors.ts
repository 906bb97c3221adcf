/** Reads the header of one `.safetensors` file. Weights are used where they lie: what comes back says where each tensor is. */
import { open, realpath } from 'node:fs/promises'
import { bytesPerElement, elementCount, isDtype, toFloat32 } from './dtype.ts'
import { WeightsError } from './weights-error.ts'

/** Where one tensor lies, and what it is. */
export interface TensorEntry {
  readonly name: string
  /** The real path of the file (symbolic links resolved), as ONNX Runtime demands for external data. */
  readonly file: string
  /** First byte, counted from the beginning of the file. */
  readonly offset: number
  /** Bytes. */
  readonly length: number
  /** The number format's name in the header. One that is not known here counts only once somebody reads the tensor. */
  readonly dtype: string
  readonly shape: readonly number[]
}

/** A checkpoint, whether it is one file or many. */
export interface Weights {
  /** By the tensor's name, in the header's order. */
  readonly tensors: ReadonlyMap<string, TensorEntry>
  /** The header's `__metadata__`; of a sharded checkpoint, the first shard's. Empty when there is none. */
  readonly metadata: Readonly<Record<string, string>>
  /** Real paths of the files that hold the tensors. */
  readonly files: readonly string[]
}

const PREFIX_BYTES = 8
/** The format's own limit; a longer "length" is a file of another kind. */
const MAX_HEADER_BYTES = 100_000_000
const REMEDY = 'Download it again (`kinora models verify` finds and `kinora models pull` replaces broken files).'

/**
 * Reads and checks a header: every tensor has the right size for its shape, where its format's size is known, and a place of its own inside the file, and the
 * file is whole.
 * @param path a `.safetensors` file; symbolic links are followed
 * @throws WeightsError that names the file and the remedy
 */
export async function readSafetensors(path: string): Promise<Weights> {
  const file = await realpath(path).catch((cause: unknown) => {
    throw new WeightsError(
      'file_missing',
      path,
      `${path} does not exist. Check the path, or get it with \`kinora models pull\`.`,
      { cause },
    )
  })
  const { header, dataStart, dataBytes } = await readHeader(file)
  const tensors = new Map<string, TensorEntry>()
  let metadata: Record<string, string> = {}
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = readMetadata(file, value)
    else tensors.set(name, readEntry(file, name, value, dataStart, dataBytes))
  }
  checkPlaces(file, [...tensors.values()], dataStart, dataBytes)
  return { tensors, metadata, files: [file] }
}

/** Reads one tensor's bytes as they are in the file. */
export async function readTensorBytes(entry: TensorEntry): Promise<Uint8Array<ArrayBuffer>> {
  const handle = await open(entry.file, 'r')
  try {
    const bytes = new Uint8Array(entry.length)
    const read = await readFully(handle, bytes, entry.offset)
    if (read < entry.length) throw truncated(entry.file, entry.offset + entry.length, entry.offset + read)
    return bytes
  } finally {
    await handle.close()
  }
}

/**
 * Reads one tensor as float32; floats of 8 and 16 bits widen exactly, integers and fp64 are rounded to float32.
 * @throws WeightsError `unknown_dtype` for formats that nothing here computes with
 */
export async function readTensor(entry: TensorEntry): Promise<Float32Array<ArrayBuffer>> {
  const values = toFloat32(await readTensorBytes(entry), entry.dtype)
  if (values) return values
  throw new WeightsError(
    'unknown_dtype',
    entry.file,
    `${entry.name} in ${entry.file} is ${entry.dtype}, which Kinora cannot compute with. Use the checkpoint's fp32, fp16, bf16 or fp8 edition.`,
  )
}

/**
 * The entry of a name that must be there.
 * @throws WeightsError `tensor_missing` that names a few tensors that are
 */
export function tensorNamed(weights: Weights, name: string): TensorEntry {
  const entry = weights.tensors.get(name)
  if (entry) return entry
  const some = [...weights.tensors.keys()].slice(0, 3).join(', ')
  const file = weights.files[0] ?? ''
  throw new WeightsError(
    'tensor_missing',
    file,
    `${file} has no tensor ${name} (it has ${weights.tensors.size}: ${some}, …). It is a checkpoint of another kind, or of another version.`,
  )
}

async function readHeader(file: string): Promise<{ header: object; dataStart: number; dataBytes: number }> {
  const handle = await open(file, 'r')
  try {
    const { size } = await handle.stat()
    const prefix = new Uint8Array(PREFIX_BYTES)
    const got = await readFully(handle, prefix, 0)
    if (got < PREFIX_BYTES) throw truncated(file, PREFIX_BYTES, got)
    const length = Number(new DataView(prefix.buffer).getBigUint64(0, true))
    if (length > MAX_HEADER_BYTES || length < 2) throw notSafetensors(file, prefix)
    if (PREFIX_BYTES + length > size) throw truncated(file, PREFIX_BYTES + length, size)
    const text = new Uint8Array(length)
    await readFully(handle, text, PREFIX_BYTES)
    return {
      header: parseHeader(file, text),
      dataStart: PREFIX_BYTES + length,
      dataBytes: size - PREFIX_BYTES - length,
    }
  } finally {
    await handle.close()
  }
}

function parseHeader(file: string, text: Uint8Array): object {
  let header: unknown
  try {
    header = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text))
  } catch (cause) {
    throw new WeightsError(
      'bad_header',
      file,
      `The header of ${file} is not valid JSON: the file is broken. ${REMEDY}`,
      { cause },
    )
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) throw badHeader(file, 'is not an object')
  return header
}

function readMetadata(file: string, value: unknown): Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badHeader(file, 'has a __metadata__ that is not an object')
  const metadata: Record<string, string> = {}
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') throw badHeader(file, `has a __metadata__ value that is not a string (${key})`)
    metadata[key] = text
  }
  return metadata
}

function readEntry(file: string, name: string, value: unknown, dataStart: number, dataBytes: number): TensorEntry {
  if (typeof value !== 'object' || value === null)
    throw badHeader(file, `describes ${name} by something that is not an object`)
  const { dtype, shape, data_offsets: offsets }: Partial<Record<string, unknown>> = { ...value }
  if (typeof dtype !== 'string') throw badHeader(file, `gives ${name} no number format`)
  if (!isWholeNumbers(shape)) throw badHeader(file, `gives ${name} a shape that is not a list of whole numbers`)
  if (!isWholeNumbers(offsets) || offsets.length !== 2)
    throw badHeader(file, `gives ${name} no data_offsets of two whole numbers`)
  const [begin = 0, end = 0] = offsets
  if (end > dataBytes) throw truncated(file, dataStart + end, dataStart + dataBytes)
  if (begin > end) throw badOffsets(file, `${name} ends (${end}) before it begins (${begin})`)
  const expected = isDtype(dtype) ? elementCount(shape) * bytesPerElement(dtype) : end - begin
  if (end - begin !== expected) {
    throw badOffsets(file, `${name} takes ${end - begin} bytes, but ${dtype} [${shape.join(', ')}] needs ${expected}`)
  }
  return { name, file, offset: dataStart + begin, length: end - begin, dtype, shape }
}

/** The format wants the tensors side by side, without holes, from the header to the end of the file. */
function checkPlaces(file: string, entries: TensorEntry[], dataStart: number, dataBytes: number): void {
  let end = dataStart
  let before = 'the header'
  for (const entry of entries.toSorted((a, b) => a.offset - b.offset || a.length - b.length)) {
    if (entry.offset < end) throw badOffsets(file, `${entry.name} overlaps ${before}`)
    if (entry.offset > end)
      throw badOffsets(file, `${entry.offset - end} bytes between ${before} and ${entry.name} belong to no tensor`)
    end = entry.offset + entry.length
    before = entry.name
  }
  if (end !== dataStart + dataBytes)
    throw badOffsets(file, `${dataStart + dataBytes - end} bytes after ${before} belong to no tensor`)
}

async function readFully(
  handle: Awaited<ReturnType<typeof open>>,
  target: Uint8Array,
  position: number,
): Promise<number> {
  // One read system call gives at most 2 GiB.
  const MAX_READ = 1 << 30
  let done = 0
  while (done < target.length) {
    const { bytesRead } = await handle.read(target, done, Math.min(target.length - done, MAX_READ), position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}

function isWholeNumbers(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0)
}

function truncated(file: string, expected: number, actual: number): WeightsError {
  return new WeightsError(
    'file_truncated',
    file,
    `${file} is cut short: it has ${actual} bytes and should have at least ${expected}. ${REMEDY}`,
  )
}

function notSafetensors(file: string, prefix: Uint8Array): WeightsError {
  const start = new TextDecoder('latin1').decode(prefix)
  if (start === 'version ') {
    return new WeightsError(
      'not_safetensors',
      file,
      `${file} is a Git LFS pointer, not the weights themselves. Run \`git lfs pull\` in that folder, or get it with \`kinora models pull\`.`,
    )
  }
  if (start.startsWith('GGUF')) {
    return new WeightsError(
      'not_safetensors',
      file,
      `${file} is a GGUF file, whose formats Kinora does not compute with. Use a safetensors edition of the checkpoint: fp8 takes about as little memory on a GPU (such as ltxv-13b-0.9.8-dev-fp8.safetensors), and PRECISION=int8 on a CPU.`,
    )
  }
  return new WeightsError(
    'not_safetensors',
    file,
    `${file} is not a safetensors file (it begins with ${JSON.stringify(start)}). ${REMEDY}`,
  )
}

function badHeader(file: string, problem: string): WeightsError {
  return new WeightsError('bad_header', file, `The header of ${file} ${problem}: the file is broken. ${REMEDY}`)
}

function badOffsets(file: string, problem: string): WeightsError {
  return new WeightsError('bad_offsets', file, `${file} is broken: ${problem}. ${REMEDY}`)
}
