/** The still that stands for a video before it plays. */

import sharp from 'sharp'
import { frameToRgb } from './frame-colour.ts'
import type { Frame } from './frame.ts'

/** A frame as a JPEG file's bytes. */
export async function encodePoster(frame: Frame): Promise<Buffer> {
  return sharp(frameToRgb(frame), { raw: { width: frame.width, height: frame.height, channels: 3 } })
    .jpeg({ quality: 85, mozjpeg: true })
    .toBuffer()
}
