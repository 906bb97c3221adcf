/**
 * How the authors make a picture ready for image-to-video (`ltx_video/inference.py`, `load_image_to_tensor_with_resize_and_crop`): cut to the video's aspect
 * ratio at its own size, softened a little, sent through H.264 as a frame of a video would have been, and only then brought to the size of a pass. The
 * model learned from videos: a picture without their traces tends to stand still.
 */

import { bilinearPlaces, mix } from '../../media/bilinear.ts'
import { blurPicture } from '../../media/blur.ts'
import { checkSamples, type Picture } from '../../media/frame.ts'
import { findH264RoundTrip, type H264RoundTrip } from '../../media/h264-round-trip.ts'
import { float32Tensor, type Float32Tensor } from '../../onnx/index.ts'
import { cutMiddle } from './picture.ts'

export interface FilmOptions {
  /** Pixels of the video, whose aspect ratio the picture gets. */
  readonly width: number
  readonly height: number
  /** 0..51; 0 leaves H.264 out. */
  readonly crf: number
  /** Needed with a `crf` above 0. */
  readonly roundTrip?: H264RoundTrip | undefined
}

/** Whether pictures can go through H.264 on this machine. */
export type Filming =
  | { readonly roundTrip: H264RoundTrip }
  /** Why not, for the log. */
  | { readonly roundTrip?: undefined; readonly reason: string }

/** Looks for an ffmpeg that does it. Without one videos are made all the same: they may move less. */
export async function openFilming(): Promise<Filming> {
  try {
    return { roundTrip: await findH264RoundTrip() }
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) }
  }
}

export async function filmPicture(picture: Picture, { width, height, crf, roundTrip }: FilmOptions): Promise<Picture> {
  const soft = blurPicture(cutToAspect(picture, width, height))
  if (crf === 0) return soft
  if (roundTrip === undefined) throw new RangeError(`A picture at CRF ${crf} needs a way through H.264.`)
  return roundTrip(soft, crf)
}

/** The largest part in the middle of a picture that has an aspect ratio, down to whole pixels. */
export function cutToAspect(picture: Picture, width: number, height: number): Picture {
  const aspect = width / height
  return picture.width / picture.height > aspect
    ? cutMiddle(picture, Math.max(1, Math.trunc(picture.height * aspect)), picture.height)
    : cutMiddle(picture, picture.width, Math.max(1, Math.trunc(picture.width / aspect)))
}

/**
 * A picture at a size, as pixels `[1, 3, 1, height, width]` in -1..1: each lies between the four nearest ones of the picture's, however many those skip
 * (torch's `interpolate`, bilinear, without smoothing).
 */
export function samplePicture(picture: Picture, width: number, height: number): Float32Tensor {
  checkSamples(picture)
  const { data } = picture
  const pixels = float32Tensor([1, 3, 1, height, width])
  const columns = bilinearPlaces(picture.width, width)
  const rows = bilinearPlaces(picture.height, height)
  const area = width * height
  let place = 0
  for (const row of rows) {
    const upper = row.first * picture.width
    const lower = row.second * picture.width
    for (const column of columns) {
      for (let channel = 0; channel < 3; channel++) {
        const at = (line: number, index: number) => data[(line + index) * 3 + channel]!
        const top = mix(at(upper, column.first), at(upper, column.second), column.weight)
        const bottom = mix(at(lower, column.first), at(lower, column.second), column.weight)
        pixels.data[channel * area + place] = mix(top, bottom, row.weight) / 127.5 - 1
      }
      place++
    }
  }
  return pixels
}
