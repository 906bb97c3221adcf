/**
 * How the samples of a video's planes come from the pixels that a network made: resized between the centres of pixels (bilinear, without smoothing, as
 * torch's `interpolate` does), and thinned out to the places that H.264 gives chroma. Worked out here for one axis at a time; graphs do the sums.
 */

import { bilinearPlace } from './bilinear.ts'

/** Each sample of an axis is a sum of so many pixels: `taps` lists of the same length as there are samples, one after the other. */
export interface AxisTaps {
  /** The first sample that any of the pixels has a part in. */
  readonly first: number
  readonly samples: number
  /** `[taps, samples]`: places among the given pixels. */
  readonly index: BigInt64Array
  /** `[taps, samples]`. */
  readonly weights: Float32Array
}

/** Pixels `start .. end - 1` of an axis, and how much each of them counts. */
export interface WeighedPixels {
  readonly start: number
  readonly weights: Float32Array
}

/** How a sample is made of the frame's pixels around its own: which they are, from the first of its own on, and how much of it they are. */
interface Siting {
  /** Pixels of the frame from one sample to the next. */
  readonly step: 1 | 2
  readonly parts: readonly { readonly offset: number; readonly share: number }[]
}

/** Luma: a sample a pixel. */
export const everyPixel: Siting = { step: 1, parts: [{ offset: 0, share: 1 }] }
/** Chroma down: a sample lies between two rows. */
export const betweenPairs: Siting = {
  step: 2,
  parts: [
    { offset: 0, share: 1 / 2 },
    { offset: 1, share: 1 / 2 },
  ],
}
/** Chroma across: a sample lies at the left pixel of each pair. */
export const leftOfPairs: Siting = {
  step: 2,
  parts: [
    { offset: -1, share: 1 / 4 },
    { offset: 0, share: 1 / 2 },
    { offset: 1, share: 1 / 4 },
  ],
}

/** Pixels that a sample of a siting is made of. */
export function tapCount({ parts }: Siting): number {
  return 2 * parts.length
}

/**
 * What a tile's pixels add to each sample of an axis. Summed over tiles whose weights add up to 1 it is the whole sample.
 * @param source pixels of the whole axis as the network made it
 * @param frame pixels of the frame's axis
 */
export function axisTaps(source: number, frame: number, siting: Siting, pixels: WeighedPixels): AxisTaps {
  const { start, weights: given } = pixels
  const end = start + given.length
  const samples = frame / siting.step
  const taps = Array.from({ length: samples }, (_, sample) =>
    siting.parts.flatMap(({ offset, share }) => {
      const place = Math.min(frame - 1, Math.max(0, sample * siting.step + offset))
      const { first, second, weight } = bilinearPlace(place, source, frame)
      const part = share * weight
      return [
        { pixel: first, weight: share - part },
        { pixel: second, weight: part },
      ]
    }),
  )
  const isTouched = (sample: (typeof taps)[number]) =>
    sample.some(({ pixel, weight }) => weight !== 0 && pixel >= start && pixel < end)
  const first = Math.max(0, taps.findIndex(isTouched))
  const count = taps.findLastIndex(isTouched) + 1 - first
  const index = new BigInt64Array(tapCount(siting) * count)
  const weights = new Float32Array(index.length)
  for (let sample = 0; sample < count; sample++) {
    for (const [tap, { pixel, weight }] of taps[first + sample]!.entries()) {
      if (pixel < start || pixel >= end) continue
      index[tap * count + sample] = BigInt(pixel - start)
      weights[tap * count + sample] = weight * given[pixel - start]!
    }
  }
  return { first, samples: count, index, weights }
}
