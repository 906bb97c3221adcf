/** Fits a picture to a frame without stretching it. */

import sharp from 'sharp'
import type { Picture } from '../engines/engine.ts'

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

/** The largest rectangle of the frame's aspect ratio in the middle of the picture, in whole pixels. */
export function coverRectangle(picture: Size, frame: Size): Rectangle {
  const scale = Math.min(picture.width / frame.width, picture.height / frame.height)
  const width = Math.min(Math.max(Math.round(frame.width * scale), 1), picture.width)
  const height = Math.min(Math.max(Math.round(frame.height * scale), 1), picture.height)
  return { x: Math.floor((picture.width - width) / 2), y: Math.floor((picture.height - height) / 2), width, height }
}

/** Crops the middle of the picture to the frame's aspect ratio and scales it (Lanczos) to the frame's size. */
export function coverPicture(picture: Picture, frame: Size): Promise<Picture> {
  return cropAndScale(picture, coverRectangle(picture, frame), frame)
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
