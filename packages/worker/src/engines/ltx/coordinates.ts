/** Where and when each token of a latent grid lies: what rotary positions are computed from. */

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
