/** Bilinear interpolation between the centres of samples, without smoothing, as torch's `interpolate` does it with `align_corners=False`. */

/** Between which two samples of an axis a place lies. */
export interface BilinearPlace {
  readonly first: number
  readonly second: number
  /** 0..1: how much of it is the second's. */
  readonly weight: number
}

/**
 * Where sample `index` of `to` lies among `from` samples of the same length in all. Before the first and after the last centre lies what they show.
 */
export function bilinearPlace(index: number, from: number, to: number): BilinearPlace {
  const centre = Math.max(0, ((index + 0.5) * from) / to - 0.5)
  const first = Math.min(from - 1, Math.floor(centre))
  return { first, second: Math.min(from - 1, first + 1), weight: centre - first }
}

/** The places of all samples of an axis. */
export function bilinearPlaces(from: number, to: number): BilinearPlace[] {
  return Array.from({ length: to }, (_, index) => bilinearPlace(index, from, to))
}

/** a at weight 0, b at 1. */
export function mix(a: number, b: number, weight: number): number {
  return a + (b - a) * weight
}
