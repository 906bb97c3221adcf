/**
 * Measures how a video moves, to a fraction of a pixel: each frame is registered against the one before (Lucas-Kanade, inverse
 * compositional, over the whole frame) as a shift, a scale and a turn; what is left of the path after smoothing is jitter.
 */

/** Luminance, row by row. */
export interface GrayFrame {
  readonly width: number
  readonly height: number
  readonly data: Float32Array
}

/** How the picture moved on the screen from one frame to the next, about the frame's middle. */
export interface Movement {
  /** Pixels to the right and down. */
  readonly x: number
  readonly y: number
  /** 0.01: one per cent larger. */
  readonly growth: number
  /** Radians clockwise. */
  readonly turn: number
}

/** @param rgb `[height, width, 3]` */
export function toGray(rgb: Uint8Array, width: number, height: number): GrayFrame {
  const data = new Float32Array(width * height)
  for (let pixel = 0; pixel < data.length; pixel++) {
    data[pixel] = 0.2126 * rgb[pixel * 3]! + 0.7152 * rgb[pixel * 3 + 1]! + 0.0722 * rgb[pixel * 3 + 2]!
  }
  return blur({ width, height, data })
}

/** A little blur (1 4 6 4 1): without it the interpolation's own error at the finest detail is what would be measured. */
function blur({ width, height, data }: GrayFrame): GrayFrame {
  const across = new Float32Array(data.length)
  const result = new Float32Array(data.length)
  const pass = (from: Float32Array, to: Float32Array, step: number) => {
    for (let i = 2 * step; i < from.length - 2 * step; i++) {
      to[i] = (from[i - 2 * step]! + from[i + 2 * step]! + 4 * (from[i - step]! + from[i + step]!) + 6 * from[i]!) / 16
    }
  }
  pass(data, across, 1)
  pass(across, result, width)
  return { width, height, data: result }
}

const margin = 24
const stride = 2

/** Finds the movement that makes `before` look like `after`. Movements of up to a few pixels are found. */
export function register(before: GrayFrame, after: GrayFrame): Movement {
  const { width, height, data } = before
  const [cx, cy] = [(width - 1) / 2, (height - 1) / 2]
  const hessian = Array.from({ length: 4 }, () => [0, 0, 0, 0])
  const points: number[] = []
  const steepest: number[] = []
  for (let y = margin; y < height - margin; y += stride) {
    for (let x = margin; x < width - margin; x += stride) {
      const at = y * width + x
      const gx = (8 * (data[at + 1]! - data[at - 1]!) - (data[at + 2]! - data[at - 2]!)) / 12
      const gy = (8 * (data[at + width]! - data[at - width]!) - (data[at + 2 * width]! - data[at - 2 * width]!)) / 12
      if (gx * gx + gy * gy < 1) continue
      const [dx, dy] = [(x - cx) / cx, (y - cy) / cx]
      const row = [gx, gy, gx * dx + gy * dy, -gx * dy + gy * dx]
      points.push(at)
      steepest.push(...row)
      for (let i = 0; i < 4; i++) for (let j = 0; j < 4; j++) hessian[i]![j]! += row[i]! * row[j]!
    }
  }
  // x' = x + p0 + p2 dx - p3 dy, y' = y + p1 + p2 dy + p3 dx
  let p = [0, 0, 0, 0]
  for (let iteration = 0; iteration < 8; iteration++) {
    const right = [0, 0, 0, 0]
    for (let k = 0; k < points.length; k++) {
      const at = points[k]!
      const [x, y] = [at % width, Math.floor(at / width)]
      const [dx, dy] = [(x - cx) / cx, (y - cy) / cx]
      const error = cubic(after, x + p[0]! + p[2]! * dx - p[3]! * dy, y + p[1]! + p[2]! * dy + p[3]! * dx) - data[at]!
      for (let i = 0; i < 4; i++) right[i]! += steepest[k * 4 + i]! * error
    }
    const step = solve(hessian, right)
    p = p.map((value, index) => value - step[index]!)
    if (Math.hypot(...step) < 1e-5) break
  }
  return { x: p[0]!, y: p[1]!, growth: p[2]! / cx, turn: p[3]! / cx }
}

/** Catmull-Rom interpolation. */
function cubic({ width, height, data }: GrayFrame, x: number, y: number): number {
  const column = Math.min(Math.max(Math.floor(x), 1), width - 3)
  const row = Math.min(Math.max(Math.floor(y), 1), height - 3)
  const wx = weights(x - column)
  const wy = weights(y - row)
  let sum = 0
  for (let j = 0; j < 4; j++) {
    const at = (row + j - 1) * width + column
    sum += wy[j]! * (wx[0] * data[at - 1]! + wx[1] * data[at]! + wx[2] * data[at + 1]! + wx[3] * data[at + 2]!)
  }
  return sum
}

function weights(t: number): [number, number, number, number] {
  const [t2, t3] = [t * t, t * t * t]
  return [(-t3 + 2 * t2 - t) / 2, (3 * t3 - 5 * t2 + 2) / 2, (-3 * t3 + 4 * t2 + t) / 2, (t3 - t2) / 2]
}

/** Gaussian elimination of a 4x4 system. */
function solve(matrix: number[][], right: number[]): number[] {
  const rows = matrix.map((row, index) => [...row, right[index]!])
  for (let i = 0; i < 4; i++) {
    const pivot = rows.slice(i).reduce((best, row) => (Math.abs(row[i]!) > Math.abs(best[i]!) ? row : best))
    rows.splice(rows.indexOf(pivot), 1)
    rows.splice(i, 0, pivot)
    for (const row of rows) {
      if (row === pivot) continue
      const factor = row[i]! / pivot[i]!
      for (let j = i; j < 5; j++) row[j]! -= factor * pivot[j]!
    }
  }
  return rows.map((row, index) => row[4]! / row[index]!)
}

/** The movements of a whole video, from each frame to the next. */
export async function movements(frames: AsyncIterable<GrayFrame> | Iterable<GrayFrame>): Promise<Movement[]> {
  const result: Movement[] = []
  let before: GrayFrame | undefined
  for await (const frame of frames) {
    if (before !== undefined) result.push(register(before, frame))
    before = frame
  }
  return result
}

/**
 * RMS distance in pixels between where the picture is and where a smooth path would have it, at the frame's middle and at four points around
 * it. The smooth path is a cubic through each 9 frames (a third of a second), which follows eased movements and no jitter.
 */
export function jitter(moves: readonly Movement[], width: number, height: number): number {
  const points = [
    [0, 0],
    [-1, -1],
    [1, -1],
    [-1, 1],
    [1, 1],
  ].map(([x, y]) => [(x! * width) / 3, (y! * height) / 3] as const)
  let [sum, count] = [0, 0]
  for (const [px, py] of points) {
    for (const component of ['x', 'y'] as const) {
      let position = 0
      const path = [0]
      for (const move of moves) {
        position +=
          component === 'x' ? move.x + move.growth * px - move.turn * py : move.y + move.growth * py + move.turn * px
        path.push(position)
      }
      const residuals = residualOfCubic(path)
      for (const residual of residuals) sum += residual ** 2
      count += residuals.length / 2
    }
  }
  return Math.sqrt(sum / count)
}

/** Savitzky-Golay over 9 points; white noise keeps 0.86 of its size in the residual, which is put right. */
function residualOfCubic(path: readonly number[]): number[] {
  const kernel = [-21, 14, 39, 54, 59, 54, 39, 14, -21].map((weight) => weight / 231)
  const kept = Math.sqrt(1 - 59 / 231)
  const residuals: number[] = []
  for (let index = 4; index < path.length - 4; index++) {
    const smooth = kernel.reduce((sum, weight, offset) => sum + weight * path[index + offset - 4]!, 0)
    residuals.push((path[index]! - smooth) / kept)
  }
  return residuals
}
