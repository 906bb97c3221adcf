/** Rotary positions: where and when each token lies, and the angles by which its query and key are turned. */

import { float32Tensor, type Float32Tensor } from '../../onnx/index.ts'

/** Seconds, pixels down, pixels across of every token: three lists of the same length. */
export interface Coordinates {
  readonly time: Float32Array
  readonly y: Float32Array
  readonly x: Float32Array
}

/** Size of a latent grid: `[F, H, W]`. */
export interface LatentSize {
  readonly frames: number
  readonly height: number
  readonly width: number
}

/** How many pixels and frames one latent stands for. */
export interface Compression {
  readonly time: number
  readonly space: number
}

/** Tokens of a latent grid. */
export function tokenCount(size: LatentSize): number {
  return size.frames * size.height * size.width
}

/**
 * Coordinates of a latent grid's tokens, frame by frame, row by row.
 * @param options.causal a latent frame stands at the first of its pictures, as the first latent holds one picture only: max(0, 8f - 7)
 * @param options.firstFrame pictures before the grid begins, for a keyframe in the middle of the video
 */
export function gridCoordinates(
  size: LatentSize,
  compression: Compression,
  framesPerSecond: number,
  options: { causal: boolean; firstFrame?: number },
): Coordinates {
  const { causal, firstFrame = 0 } = options
  const count = tokenCount(size)
  const coordinates = { time: new Float32Array(count), y: new Float32Array(count), x: new Float32Array(count) }
  let token = 0
  for (let frame = 0; frame < size.frames; frame++) {
    const picture = causal ? Math.max(0, frame * compression.time + 1 - compression.time) : frame * compression.time
    for (let row = 0; row < size.height; row++) {
      for (let column = 0; column < size.width; column++, token++) {
        coordinates.time[token] = causal
          ? (picture + firstFrame) * Math.fround(1 / framesPerSecond)
          : (picture + firstFrame) / framesPerSecond
        coordinates.y[token] = row * compression.space
        coordinates.x[token] = column * compression.space
      }
    }
  }
  return coordinates
}

export function joinCoordinates(parts: readonly Coordinates[]): Coordinates {
  const join = (axis: keyof Coordinates) => Float32Array.from(parts.flatMap((part) => [...part[axis]]))
  return { time: join('time'), y: join('y'), x: join('x') }
}

export interface RopeConfig {
  /** Width of the transformer: all heads together, which share one list of frequencies. */
  readonly innerSize: number
  /** The coordinates at which the angles reach their full range: seconds, pixels, pixels. */
  readonly maximumPositions: readonly [time: number, y: number, x: number]
  readonly theta: number
}

/**
 * Cosines and sines `[tokens, innerSize / 2]`, one angle for each pair of channels.
 *
 * The angle of axis a at frequency i is (2c/max - 1) · π/2 · theta^(i/(n-1)); channels run through the frequencies first, then through the axes
 * (time, y, x). What does not divide by six is left unturned, at the front.
 */
export function ropeTables(coordinates: Coordinates, config: RopeConfig): { cos: Float32Tensor; sin: Float32Tensor } {
  const { innerSize, maximumPositions, theta } = config
  const pairs = innerSize / 2
  const perAxis = Math.floor(innerSize / 6)
  const unturned = (innerSize % 6) / 2
  const frequencies = ropeFrequencies(perAxis, theta)
  const tokens = coordinates.time.length
  const cos = float32Tensor([tokens, pairs], new Float32Array(tokens * pairs).fill(1))
  const sin = float32Tensor([tokens, pairs])
  const axes = [coordinates.time, coordinates.y, coordinates.x]
  axes.forEach((values, axis) => {
    const maximum = maximumPositions[axis] ?? 1
    for (let token = 0; token < tokens; token++) {
      const position = Math.fround(Math.fround(Math.fround((values[token] ?? 0) / maximum) * 2) - 1)
      for (let index = 0; index < perAxis; index++) {
        const angle = Math.fround((frequencies[index] ?? 0) * position)
        const place = token * pairs + unturned + index * 3 + axis
        cos.data[place] = Math.cos(angle)
        sin.data[place] = Math.sin(angle)
      }
    }
  })
  return { cos, sin }
}

/** π/2 · theta^(linspace(0, 1, count)), in float32 steps as torch takes them: the largest is 15708, where rounding moves the angle. */
function ropeFrequencies(count: number, theta: number): Float32Array {
  const frequencies = new Float32Array(count)
  for (let index = 0; index < count; index++) {
    const exponent = Math.fround(count === 1 ? 0 : index / (count - 1))
    const power = Math.fround(theta ** exponent)
    frequencies[index] = Math.fround(Math.fround(power * Math.fround(Math.PI)) / 2)
  }
  return frequencies
}
