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

export interface Int16Tensor {
  readonly dtype: 'int16'
  readonly shape: readonly number[]
  readonly data: Int16Array
}

export interface Uint8Tensor {
  readonly dtype: 'uint8'
  readonly shape: readonly number[]
  readonly data: Uint8Array
}

/** Graph inputs and outputs are of these types only; half precision lives inside graphs, behind a Cast. */
export type Tensor = Float32Tensor | Int64Tensor | Int32Tensor | Int16Tensor | Uint8Tensor

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

/**
 * The sizes of a matrix's two axes.
 * @throws RangeError where the tensor is none, or holds another number of elements
 */
export function matrixSizes(tensor: Float32Tensor): readonly [rows: number, columns: number] {
  const [rows, columns] = tensor.shape
  if (tensor.shape.length !== 2 || rows === undefined || columns === undefined) throw wrongRank(tensor, 'a matrix')
  checkLength(tensor.data.length, tensor.shape)
  return [rows, columns]
}

export interface VideoSizes {
  readonly channels: number
  readonly frames: number
  readonly height: number
  readonly width: number
}

/**
 * The sizes of one video or its latents, `[1, channels, frames, height, width]`.
 * @throws RangeError where the tensor is none, or holds another number of elements
 */
export function videoSizes(tensor: Float32Tensor): VideoSizes {
  const [batch, channels, frames, height, width] = tensor.shape
  if (
    tensor.shape.length !== 5 ||
    batch !== 1 ||
    channels === undefined ||
    frames === undefined ||
    height === undefined ||
    width === undefined
  )
    throw wrongRank(tensor, 'one video, [1, channels, frames, height, width]')
  checkLength(tensor.data.length, tensor.shape)
  return { channels, frames, height, width }
}

function wrongRank({ shape }: Float32Tensor, wanted: string): RangeError {
  return new RangeError(`A tensor of shape [${shape.join(', ')}] is not ${wanted}.`)
}
