/** Turns the bytes of a picture, of whatever kind people upload, into upright sRGB pixels. */

import { MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS } from '@kinora/protocol'
import sharp from 'sharp'
import { EngineError } from '../failure.ts'
import type { Picture } from './frame.ts'

/** libvips' names of the formats we accept: those of protocol's IMAGE_CONTENT_TYPES. It reads more (SVG, PDF), which are no photographs. */
const formats = new Set(['jpeg', 'png', 'webp', 'heif', 'gif', 'tiff'])

/** What lies behind transparent parts: white, as on most pages a picture with transparency was made for. */
const background = '#ffffff'

export interface DecodeLimits {
  /** Bytes of the encoded picture. @default 20 MB */
  readonly maxBytes?: number
  /** Width times height. @default 50 megapixels */
  readonly maxPixels?: number
}

/**
 * Decodes JPEG, PNG, WebP, AVIF, GIF, TIFF, and HEIC where libvips can. EXIF rotation is applied, transparency laid over white, an embedded
 * colour profile (CMYK too) converted to sRGB, 16 bits reduced to 8; of an animated picture the first page counts.
 *
 * @throws EngineError `image_too_large` or `image_invalid`, with the reason in words for the person who sent the picture
 */
export async function decodePicture(bytes: Uint8Array, limits: DecodeLimits = {}): Promise<Picture> {
  const { maxBytes = MAX_IMAGE_BYTES, maxPixels = MAX_IMAGE_PIXELS } = limits
  if (bytes.byteLength > maxBytes) {
    throw new EngineError(
      'image_too_large',
      `The picture has ${megabytes(bytes.byteLength)} MB; at most ${megabytes(maxBytes)} MB are allowed.`,
    )
  }
  const { width, height } = await readSize(bytes)
  if (width * height > maxPixels) {
    throw new EngineError(
      'image_too_large',
      `The picture has ${width}x${height} pixels; at most ${maxPixels / 1e6} megapixels are allowed. Send a smaller one.`,
    )
  }
  try {
    const { data, info } = await sharp(bytes, { failOn: 'error', limitInputPixels: maxPixels })
      .autoOrient()
      .flatten({ background })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, data: toThreeChannels(data, info.channels) }
  } catch (error) {
    throw new EngineError('image_invalid', `The picture is damaged: ${reason(error)}.`, { cause: error })
  }
}

async function readSize(bytes: Uint8Array): Promise<{ width: number; height: number }> {
  try {
    const { format, width, height, pageHeight } = await sharp(bytes, { limitInputPixels: false }).metadata()
    if (!formats.has(format)) {
      throw new EngineError(
        'image_invalid',
        `The picture is ${format.toUpperCase()}, which is not supported. ${advice}`,
      )
    }
    return { width, height: pageHeight ?? height }
  } catch (error) {
    if (error instanceof EngineError) throw error
    if (isHeic(bytes)) {
      throw new EngineError('image_invalid', `This worker's image library cannot read HEIC pictures. ${advice}`, {
        cause: error,
      })
    }
    throw new EngineError('image_invalid', `The file is not a picture that can be read: ${reason(error)}. ${advice}`, {
      cause: error,
    })
  }
}

const advice = 'Send JPEG, PNG, WebP, AVIF, GIF or TIFF.'

/** ISO base media files name their kind in bytes 4..12; iPhones write `heic`, bursts and others `heix`, `hevc`, `mif1`. */
function isHeic(bytes: Uint8Array): boolean {
  return /^ftyp(hei|hev|mif|msf)/.test(Buffer.from(bytes.subarray(4, 12)).toString('latin1'))
}

/** Grey pictures may come with one channel. */
function toThreeChannels(data: Uint8Array, channels: number): Uint8Array {
  if (channels === 3) return data
  const pixels = data.length / channels
  const result = new Uint8Array(pixels * 3)
  for (let pixel = 0; pixel < pixels; pixel++) result.fill(data[pixel * channels]!, pixel * 3, pixel * 3 + 3)
  return result
}

function megabytes(count: number): string {
  return (count / 1024 / 1024).toFixed(1)
}

function reason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return (message.split('\n')[0] ?? '').replace(/\.$/, '')
}
