/** Looks whether bytes are really a picture, and which one. */
import { MAX_IMAGE_BYTES, MAX_IMAGE_PIXELS, type ImageContentType } from '@kinora/protocol'
import sharp, { type Metadata } from 'sharp'
import { sniffImage } from './sniff.ts'

export interface ImageInfo {
  /** What the bytes are, whatever the sender called them. */
  readonly contentType: ImageContentType
  /** `jpeg`, `png`, `webp`, `avif`, `heic`, `gif` or `tiff`. */
  readonly format: string
  /** Pixels of the upright picture: EXIF orientation is applied. */
  readonly width: number
  readonly height: number
}

export interface ImageLimits {
  /** Default 20 MiB. */
  readonly maxBytes?: number
  /** Width times height of the first page. Default 50 million. */
  readonly maxPixels?: number
}

/** Why bytes are not a picture that a job can use. It will never be one: retrying does not help. */
export class ImageError extends Error {
  override readonly name = 'ImageError'
  /** As in a job's `error_code`. */
  readonly code: 'image_invalid' | 'image_too_large'

  constructor(code: ImageError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/**
 * The format and size of a picture: JPEG, PNG, WebP, AVIF, HEIC (where the machine's libvips reads it), GIF or TIFF. The header is
 * read first, so a picture that would unpack to gigabytes costs nothing; then the picture is read through once at thumbnail size.
 *
 * @throws ImageError with a message for the user that names the reason
 */
export async function inspectImage(bytes: Uint8Array, limits: ImageLimits = {}): Promise<ImageInfo> {
  const { maxBytes = MAX_IMAGE_BYTES, maxPixels = MAX_IMAGE_PIXELS } = limits
  if (bytes.byteLength === 0) throw new ImageError('image_invalid', 'The picture is empty (0 bytes).')
  if (bytes.byteLength > maxBytes) {
    throw new ImageError(
      'image_too_large',
      `The picture has ${megabytes(bytes.byteLength)} MB; at most ${megabytes(maxBytes)} MB are allowed.`,
    )
  }

  const kind = sniffImage(bytes)
  if (kind.contentType === undefined) throw new ImageError('image_invalid', kind.reason)

  const metadata = await read(kind.format, () => sharp(bytes, { ...READ, limitInputPixels: false }).metadata())
  const { width, height } = upright(metadata)
  if (width * height > maxPixels) {
    throw new ImageError(
      'image_too_large',
      `The picture has ${width} x ${height} pixels (${((width * height) / 1e6).toFixed(1)} megapixels); at most ${maxPixels / 1e6} megapixels are allowed.`,
    )
  }
  await inTurn(() =>
    read(kind.format, () =>
      sharp(bytes, { ...READ, limitInputPixels: maxPixels })
        .resize(8, 8, { fit: 'fill' })
        .raw()
        .toBuffer(),
    ),
  )
  return { contentType: kind.contentType, format: kind.format, width, height }
}

/** The first page is the picture; one that is cut off is refused, one with an odd colour profile or a stray marker is not. */
const READ = { failOn: 'truncated', pages: 1 } as const

async function read<T>(format: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    const message =
      format === 'heic'
        ? 'The picture is HEIC, which this server cannot read. Send it as JPEG, PNG, WebP or AVIF.'
        : `The picture begins like ${format.toUpperCase()} but is damaged or cut off, and cannot be read.`
    throw new ImageError('image_invalid', message, { cause })
  }
}

let last: Promise<unknown> = Promise.resolve()

/** One picture after the other: a large progressive JPEG takes hundreds of megabytes to read, and ten at once would end a small server. */
function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const next = last.then(work)
  last = next.catch(() => undefined)
  return next
}

function upright({ width, height, orientation = 1 }: Metadata): { width: number; height: number } {
  return orientation >= 5 ? { width: height, height: width } : { width, height }
}

function megabytes(bytes: number): string {
  return (bytes / 1024 / 1024).toFixed(1).replace(/\.0$/, '')
}
