/** Cuts a video into overlapping tiles that fit into memory, and says how their results are faded into each other. */

import type { LatentSize } from '../coordinates.ts'

/** Latents `start .. start + length` of one axis. */
export interface Span {
  readonly start: number
  readonly length: number
}

export interface TilePlan {
  readonly time: readonly Span[]
  readonly rows: readonly Span[]
  readonly columns: readonly Span[]
}

/** Smallest tiles, and how far neighbours overlap, in latents: what the networks see around a place fades over about that far. */
const smallest = { frames: 5, height: 8, width: 8 } as const
const overlap = { frames: 3, height: 3, width: 3 } as const

/** One tile for everything. */
export function wholeTile(size: LatentSize): TilePlan {
  const whole = (length: number) => [{ start: 0, length }]
  return { time: whole(size.frames), rows: whole(size.height), columns: whole(size.width) }
}

/**
 * Tiles of equal size whose cost stays within a budget. The axis that is longest for its smallest tile is cut first.
 * @param cost of a tile, in the unit of the budget: bytes
 */
export function planTiles(size: LatentSize, cost: (tile: LatentSize) => number, budget: number): TilePlan {
  const tile = { ...size }
  const axes = ['frames', 'height', 'width'] as const
  while (cost(tile) > budget) {
    const cuttable = axes.filter((axis) => tile[axis] > smallest[axis])
    const [longest] = cuttable.toSorted((a, b) => tile[b] / smallest[b] - tile[a] / smallest[a])
    if (longest === undefined) break
    tile[longest] = Math.max(smallest[longest], Math.min(tile[longest] - 1, Math.ceil(tile[longest] * 0.75)))
  }
  return {
    time: spans(size.frames, tile.frames, overlap.frames),
    rows: spans(size.height, tile.height, overlap.height),
    columns: spans(size.width, tile.width, overlap.width),
  }
}

/** Spans of one length that cover an axis, as evenly spread as they can be, each overlapping its neighbour by at least `shared`. */
export function spans(total: number, length: number, shared: number): Span[] {
  if (length >= total) return [{ start: 0, length: total }]
  const count = Math.ceil((total - shared) / (length - shared))
  return Array.from({ length: count }, (_, index) => ({
    start: Math.round((index * (total - length)) / (count - 1)),
    length,
  }))
}

/** Where a tile's pixels begin and end on its axis, and where the ones before it end and the ones after it begin. */
export interface PixelSpan {
  readonly start: number
  readonly end: number
}

/**
 * How much each pixel of a tile counts: it rises where the tile overlaps the one before it, falls where it overlaps the next. Over all tiles, the
 * weights of a pixel add up to 1.
 */
export function fadeWeights(spansOfAxis: readonly PixelSpan[], index: number): Float32Array {
  const own = spansOfAxis[index] ?? { start: 0, end: 0 }
  const before = spansOfAxis[index - 1]
  const after = spansOfAxis[index + 1]
  return Float32Array.from({ length: own.end - own.start }, (_, offset) => {
    const place = own.start + offset
    const rising = before === undefined ? 1 : ramp(place, own.start, before.end)
    const falling = after === undefined ? 0 : ramp(place, after.start, own.end)
    return rising - falling
  })
}

/** 0 before `start`, 1 from `end` on, in between a straight line through the middles of the pixels. */
function ramp(place: number, start: number, end: number): number {
  return end <= start ? Number(place >= start) : Math.min(1, Math.max(0, (place - start + 0.5) / (end - start)))
}
