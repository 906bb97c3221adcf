/** The element types a graph may use, with their numbers in ONNX files. */

/** ONNX's `TensorProto.DataType`. */
export const dataTypeNumbers = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  uint32: 12,
  uint64: 13,
  bfloat16: 16,
  /** One sign, four bits of exponent, three of fraction; up to 448, no infinities. */
  float8e4m3fn: 17,
  /** One sign, five bits of exponent, two of fraction; up to 57344. */
  float8e5m2: 19,
} as const

export type DataType = keyof typeof dataTypeNumbers

/** Bytes of one element. */
export function bytesPerElement(dtype: DataType): number {
  switch (dtype) {
    case 'uint8':
    case 'int8':
    case 'bool':
    case 'float8e4m3fn':
    case 'float8e5m2':
      return 1
    case 'uint16':
    case 'int16':
    case 'float16':
    case 'bfloat16':
      return 2
    case 'float32':
    case 'int32':
    case 'uint32':
      return 4
    case 'float64':
    case 'int64':
    case 'uint64':
      return 8
  }
}

/** How many elements a tensor of this shape has; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1)
}
