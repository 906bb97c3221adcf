/** Rounds one matrix to signed 8-bit integers, a scale for each output. */
import { open } from 'node:fs/promises'
import { bytesPerElement, isDtype, toFloat32 } from './dtype.ts'
import type { TensorEntry } from './safetensors.ts'
import { WeightsError } from './weights-error.ts'

const LARGEST = 127
/** Source bytes in memory at a time. */
const BLOCK_BYTES = 4 * 1024 * 1024
const TILE = 64
/** Adding and taking away 1.5 * 2^52 leaves a number rounded to an integer, ties to even. */
const ROUND = 6755399441055744

export interface Int8Matrix {
  /** [inputs, outputs]. */
  readonly values: Int8Array<ArrayBuffer>
  /** [outputs]. */
  readonly scales: Float32Array<ArrayBuffer>
}

/**
 * Reads a matrix [outputs, inputs] a few rows at a time.
 * scale = max |row| / 127 (1 for a row of zeros), integer = the float32 quotient row / scale rounded to nearest, ties to even.
 * @throws WeightsError `not_finite`, `file_truncated`
 */
export async function quantizeTensor(entry: TensorEntry): Promise<Int8Matrix> {
  const [outputs = 0, inputs = 0] = entry.shape
  const values = new Int8Array(outputs * inputs)
  const scales = new Float32Array(outputs)
  if (!isDtype(entry.dtype)) throw unreadable(entry)
  const rowBytes = inputs * bytesPerElement(entry.dtype)
  const rowsAtOnce = Math.max(1, Math.floor(BLOCK_BYTES / Math.max(1, rowBytes)))
  const handle = await open(entry.file, 'r')
  try {
    for (let first = 0; first < outputs; first += rowsAtOnce) {
      const rows = Math.min(rowsAtOnce, outputs - first)
      const bytes = new Uint8Array(rows * rowBytes)
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, entry.offset + first * rowBytes)
      const floats = bytesRead === bytes.length ? toFloat32(bytes, entry.dtype) : null
      if (!floats) throw unreadable(entry)
      quantizeRows(floats, rows, inputs, first, outputs, values, scales, entry)
    }
  } finally {
    await handle.close()
  }
  return { values, scales }
}

function quantizeRows(
  floats: Float32Array,
  rows: number,
  inputs: number,
  first: number,
  outputs: number,
  values: Int8Array,
  scales: Float32Array,
  entry: TensorEntry,
): void {
  for (let row = 0; row < rows; row++)
    scales[first + row] = scaleOf(floats.subarray(row * inputs, (row + 1) * inputs), entry)
  // In square tiles, so that both the rows that are read and the transposed integers that are written stay in the processor's cache.
  for (let top = 0; top < rows; top += TILE) {
    const bottom = Math.min(rows, top + TILE)
    for (let left = 0; left < inputs; left += TILE) {
      const right = Math.min(inputs, left + TILE)
      for (let row = top; row < bottom; row++) {
        const scale = scales[first + row]!
        for (let input = left; input < right; input++) {
          const quotient = Math.fround(floats[row * inputs + input]! / scale)
          values[input * outputs + first + row] = quotient + ROUND - ROUND
        }
      }
    }
  }
}

function scaleOf(row: Float32Array, entry: TensorEntry): number {
  let largest = 0
  for (let index = 0; index < row.length; index++) {
    const size = Math.abs(row[index]!)
    if (!(size <= largest)) largest = size
    if (Number.isNaN(size)) break
  }
  if (!Number.isFinite(largest)) {
    const remedy = 'The file is broken: download it again (`kinora models verify`, `kinora models pull`).'
    throw new WeightsError(
      'not_finite',
      entry.file,
      `${entry.name} in ${entry.file} holds values that are no numbers. ${remedy}`,
    )
  }
  return Math.fround(largest / LARGEST) || 1
}

function unreadable(entry: TensorEntry): WeightsError {
  return new WeightsError(
    'file_truncated',
    entry.file,
    `${entry.name} cannot be read from ${entry.file}: the file is cut short, or ${entry.dtype} is no format to compute with.`,
  )
}
