/** Pixels on the way: a picture in, frames out. */

/** A decoded, upright picture without alpha. */
export interface Picture {
  /** Pixels across. */
  readonly width: number
  /** Pixels down. */
  readonly height: number
  /** sRGB, 8 bits a channel, `[height, width, 3]`, row by row, without padding. */
  readonly data: Uint8Array
}

/** One frame of the video, at the size the settings ask for. */
export interface Frame {
  /** Pixels across. */
  readonly width: number
  /** Pixels down. */
  readonly height: number
  /** The samples, without padding; their layout is `format`'s. */
  readonly data: Uint8Array
  /**
   * - `rgb24`: sRGB, `[height, width, 3]`, as a {@link Picture}.
   * - `yuv420p`: what H.264 stores: BT.709, limited range; Y `[height, width]`, then Cb and Cr `[height / 2, width / 2]` each, sited at the left.
   *
   * All frames of a video have the same. @default 'rgb24'
   */
  readonly format?: FrameFormat
}

export type FrameFormat = 'rgb24' | 'yuv420p'

/**
 * Whether a picture or frame has as many samples as its size says. In bytes a wrong index would be a black pixel and nobody would know, so whoever
 * goes through the samples asks here first.
 * @throws RangeError
 */
export function checkSamples({ width, height, data, format }: Picture & Pick<Frame, 'format'>): void {
  const samples = width * height * (format === 'yuv420p' ? 1.5 : 3)
  if (data.length !== samples)
    throw new RangeError(`${width}x${height} in ${format ?? 'rgb24'} is ${samples} bytes, not ${data.length}.`)
}
