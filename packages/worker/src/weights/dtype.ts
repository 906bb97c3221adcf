/** The number formats of safetensors files: their sizes, and how to read them as float32. */

const BYTES_PER_ELEMENT = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  I64: 8,
  U64: 8,
  F64: 8,
  C64: 8,
} as const

/** A number format of known size, by its name in a safetensors header. */
export type Dtype = keyof typeof BYTES_PER_ELEMENT

/** Whether a header's `dtype` is one with a known size. */
export function isDtype(name: string): name is Dtype {
  return Object.hasOwn(BYTES_PER_ELEMENT, name)
}

/** Bytes that one element takes. */
export function bytesPerElement(dtype: Dtype): number {
  return BYTES_PER_ELEMENT[dtype]
}

/** How many elements a shape has; the empty shape is a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, dimension) => product * dimension, 1)
}

/**
 * Reads little-endian bytes as float32. Floats of 8 and 16 bits widen exactly; fp64 and integers beyond 2^24 are rounded.
 * @returns null for formats that nothing here computes with
 */
export function toFloat32(bytes: Uint8Array, dtype: string): Float32Array<ArrayBuffer> | null {
  if (!isDtype(dtype)) return null
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice()
  const view = <T>(make: new (buffer: ArrayBufferLike, offset: number, length: number) => T): T =>
    new make(aligned.buffer, aligned.byteOffset, aligned.byteLength / BYTES_PER_ELEMENT[dtype])
  switch (dtype) {
    case 'F32':
      return new Float32Array(view(Float32Array))
    case 'BF16':
      return bfloat16ToFloat32(view(Uint16Array))
    case 'F16':
      return float16ToFloat32(view(Uint16Array))
    case 'F8_E4M3':
      return float8e4m3ToFloat32(aligned)
    case 'F8_E5M2':
      return float8e5m2ToFloat32(aligned)
    case 'F64':
      return Float32Array.from(view(Float64Array))
    case 'I64':
      return Float32Array.from(view(BigInt64Array), Number)
    case 'U64':
      return Float32Array.from(view(BigUint64Array), Number)
    case 'I32':
      return Float32Array.from(view(Int32Array))
    case 'U32':
      return Float32Array.from(view(Uint32Array))
    case 'I16':
      return Float32Array.from(view(Int16Array))
    case 'U16':
      return Float32Array.from(view(Uint16Array))
    case 'I8':
      return Float32Array.from(view(Int8Array))
    case 'U8':
    case 'BOOL':
      return Float32Array.from(aligned)
    default:
      return null
  }
}

/** bf16 is the upper half of a float32. */
export function bfloat16ToFloat32(values: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(values.length)
  for (let index = 0; index < values.length; index++) bits[index] = values[index]! << 16
  return new Float32Array(bits.buffer)
}

/** Rounds to the nearest bf16, ties to even, as torch does. */
export function float32ToBfloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const halves = new Uint16Array(values.length)
  for (let index = 0; index < values.length; index++) {
    const word = bits[index]!
    const isNaN = (word & 0x7fffffff) > 0x7f800000
    halves[index] = isNaN ? 0x7fc0 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16
  }
  return halves
}

/** Widens IEEE half precision, subnormals, infinities and NaN included. */
export function float16ToFloat32(values: Uint16Array): Float32Array<ArrayBuffer> {
  const bits = new Uint32Array(values.length)
  for (let index = 0; index < values.length; index++) {
    const half = values[index]!
    const sign = (half & 0x8000) << 16
    const exponent = (half >>> 10) & 0x1f
    const fraction = half & 0x3ff
    if (exponent === 0x1f) {
      bits[index] = sign | 0x7f800000 | (fraction << 13)
    } else if (exponent > 0) {
      bits[index] = sign | ((exponent + 112) << 23) | (fraction << 13)
    } else if (fraction === 0) {
      bits[index] = sign
    } else {
      // A subnormal half is a normal float32: move its leading bit up to the hidden place.
      const shift = Math.clz32(fraction) - 21
      bits[index] = sign | ((113 - shift) << 23) | (((fraction << shift) & 0x3ff) << 13)
    }
  }
  return new Float32Array(bits.buffer)
}

/** One sign, four bits of exponent, three of fraction; no infinities, and NaN where all bits but the sign are set. */
export function float8e4m3ToFloat32(values: Uint8Array): Float32Array<ArrayBuffer> {
  const known = Float32Array.from({ length: 256 }, (_, bits) => {
    const sign = bits & 0x80 ? -1 : 1
    const exponent = (bits >> 3) & 15
    const fraction = bits & 7
    if (exponent === 15 && fraction === 7) return NaN
    return exponent === 0 ? sign * fraction * 2 ** -9 : sign * (1 + fraction / 8) * 2 ** (exponent - 7)
  })
  return Float32Array.from(values, (bits) => known[bits]!)
}

/** The upper byte of a half. */
export function float8e5m2ToFloat32(values: Uint8Array): Float32Array<ArrayBuffer> {
  return float16ToFloat32(Uint16Array.from(values, (bits) => bits << 8))
}

/** Rounds to the nearest half, ties to even; beyond 65504 (rounded) becomes infinity. */
export function float32ToFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const halves = new Uint16Array(values.length)
  for (let index = 0; index < values.length; index++) {
    const word = bits[index]!
    const sign = (word >>> 16) & 0x8000
    const magnitude = word & 0x7fffffff
    if (magnitude > 0x7f800000) {
      halves[index] = sign | 0x7e00
    } else if (magnitude >= 0x47800000) {
      halves[index] = sign | 0x7c00
    } else if (magnitude >= 0x38800000) {
      // Normal: drop 13 bits with the rounding carry running into the exponent (and, at the top, into infinity).
      halves[index] = sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13)
    } else if (magnitude < 0x33000000) {
      halves[index] = sign
    } else {
      const shift = 126 - (magnitude >>> 23)
      const fraction = (magnitude & 0x7fffff) | 0x800000
      const kept = fraction >>> shift
      const rest = fraction & ((1 << shift) - 1)
      const half = 1 << (shift - 1)
      halves[index] = sign | (kept + (rest > half || (rest === half && (kept & 1) === 1) ? 1 : 0))
    }
  }
  return halves
}
