/** Tensors on the host: what goes into a session and what comes out, and the two half-precision formats. */

import { elementCount } from './data-type.ts'

export interface Float32Tensor {
  readonly dtype: 'float32'
  readonly shape: readonly number[]
  readonly data: Float32Array
}

export interface Int64Tensor {
  readonly dtype: 'int64'
  readonly shape: readonly number[]
  readonly data: BigInt64Array
}

export interface Int32Tensor {
  readonly dtype: 'int32'
  readonly shape: readonly number[]
  readonly data: Int32Array
}

export interface Uint8Tensor {
  readonly dtype: 'uint8'
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

/** Graph inputs and outputs are of these types only; half precision lives inside graphs, behind a Cast. */
export type Tensor = Float32Tensor | Int64Tensor | Int32Tensor | Uint8Tensor

/** @throws RangeError where the number of elements does not fit the shape */
export function float32Tensor(shape: readonly number[], data?: Float32Array | readonly number[]): Float32Tensor {
  const values =
    data === undefined
      ? new Float32Array(elementCount(shape))
      : data instanceof Float32Array
        ? data
        : Float32Array.from(data)
  checkLength(values.length, shape)
  return { dtype: 'float32', shape, data: values }
}

/** @throws RangeError where the number of elements does not fit the shape */
export function int64Tensor(shape: readonly number[], data: readonly number[]): Int64Tensor {
  checkLength(data.length, shape)
  return { dtype: 'int64', shape, data: BigInt64Array.from(data, BigInt) }
}

/** @throws RangeError where the number of elements does not fit the shape */
export function int32Tensor(shape: readonly number[], data: Int32Array | readonly number[]): Int32Tensor {
  checkLength(data.length, shape)
  return { dtype: 'int32', shape, data: data instanceof Int32Array ? data : Int32Array.from(data) }
}

function checkLength(length: number, shape: readonly number[]): void {
  if (length !== elementCount(shape))
    throw new RangeError(`A tensor of shape [${shape.join(', ')}] has ${elementCount(shape)} elements, not ${length}.`)
}

const word = new DataView(new ArrayBuffer(4))

/** Rounds to the nearest bfloat16, ties to even, as torch and ONNX Runtime do. */
export function toBfloat16(values: Float32Array): Uint16Array {
  const result = new Uint16Array(values.length)
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  for (let index = 0; index < bits.length; index++) {
    const value = bits[index] ?? 0
    const isNaN = (value & 0x7fffffff) > 0x7f800000
    result[index] = isNaN ? (value >>> 16) | 0x40 : (value + 0x7fff + ((value >>> 16) & 1)) >>> 16
  }
  return result
}

export function fromBfloat16(halves: Uint16Array): Float32Array {
  const bits = new Uint32Array(halves.length)
  for (let index = 0; index < halves.length; index++) bits[index] = (halves[index] ?? 0) << 16
  return new Float32Array(bits.buffer)
}

/** Rounds to the nearest IEEE half, ties to even; beyond 65504 it becomes infinite. */
export function toFloat16(values: Float32Array): Uint16Array {
  const result = new Uint16Array(values.length)
  for (let index = 0; index < values.length; index++) result[index] = halfBits(values[index] ?? 0)
  return result
}

function halfBits(value: number): number {
  word.setFloat32(0, value)
  const bits = word.getUint32(0)
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  if (magnitude >= 0x47800000) return sign | 0x7c00
  if (magnitude < 0x38800000) return sign | roundTiesToEven(Math.abs(value) * 2 ** 24)
  return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13)
}

function roundTiesToEven(value: number): number {
  const floor = Math.floor(value)
  const rest = value - floor
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor
}

export function fromFloat16(halves: Uint16Array): Float32Array {
  const result = new Float32Array(halves.length)
  for (let index = 0; index < halves.length; index++) {
    const bits = halves[index] ?? 0
    const exponent = (bits >>> 10) & 0x1f
    const fraction = bits & 0x3ff
    const magnitude =
      exponent === 0
        ? fraction * 2 ** -24
        : exponent === 31
          ? fraction === 0
            ? Infinity
            : NaN
          : (1 + fraction / 1024) * 2 ** (exponent - 15)
    result[index] = bits & 0x8000 ? -magnitude : magnitude
  }
  return result
}
