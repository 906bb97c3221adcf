/** Tensors on the host: what goes into a session and what comes out. */

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

function checkLength(length: number, shape: readonly number[]): void {
  if (length !== elementCount(shape))
    throw new RangeError(`A tensor of shape [${shape.join(', ')}] has ${elementCount(shape)} elements, not ${length}.`)
}
