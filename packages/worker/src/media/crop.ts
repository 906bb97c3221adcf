/** Cuts pictures and scales them. */

import sharp from 'sharp'
import type { Picture } from './frame.ts'

export interface Size {
  /** Pixels across. */
  readonly width: number
  /** Pixels down. */
  readonly height: number
}

/** A rectangle in pixels; for crops all four are whole numbers. */
export interface Rectangle extends Size {
  readonly x: number
  readonly y: number
}

/** Cuts a rectangle of whole pixels out of the picture and scales it: Lanczos when it becomes smaller, bicubic when it becomes larger. */
export async function cropAndScale(picture: Picture, crop: Rectangle, size: Size): Promise<Picture> {
  const { data, info } = await sharp(picture.data, {
    raw: { width: picture.width, height: picture.height, channels: 3 },
    limitInputPixels: false,
  })
    .extract({ left: crop.x, top: crop.y, width: crop.width, height: crop.height })
    .resize(size.width, size.height, { fit: 'fill', kernel: 'lanczos3' })
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true })
  return { width: info.width, height: info.height, data }
}
