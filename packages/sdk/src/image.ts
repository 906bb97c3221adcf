/** The picture of a `generate`, in whichever form an app has it. */
import { IMAGE_CONTENT_TYPES, type ImageContentType, MAX_IMAGE_BYTES } from '@kinora/protocol'
import { InputError } from './errors.ts'

/**
 * A picture: a File or Blob, bytes, a stream of bytes, an http(s) URL that the server fetches, a data: URL, or a blob: URL.
 * At most 20 MB; JPEG, PNG, WebP, AVIF, HEIC, GIF or TIFF. For a file's path there is `fromPath` in `@kinora/sdk/node`.
 */
export type ImageInput = Blob | ArrayBuffer | ArrayBufferView | ReadableStream<Uint8Array> | URL | string

/** Either a URL that the server fetches itself, or bytes to upload. */
export type Picture = { readonly url: string } | { readonly blob: Blob; readonly type: ImageContentType }

/** @throws InputError when it is no picture, too large, or a path */
export async function readPicture(image: ImageInput, signal?: AbortSignal): Promise<Picture> {
  if (typeof image === 'string' || image instanceof URL) {
    const url = String(image)
    if (/^https?:\/\//i.test(url)) return { url }
    return withType(await readUrl(url, signal))
  }
  if (image instanceof Blob) return withType(image)
  if (image instanceof ReadableStream) return withType(await readStream(image, signal))
  if (ArrayBuffer.isView(image)) {
    // Copied, because a view's memory may be shared, which a Blob does not take.
    return withType(new Blob([new Uint8Array(image.buffer, image.byteOffset, image.byteLength).slice()]))
  }
  if (image instanceof ArrayBuffer) return withType(new Blob([image]))
  throw new InputError('invalid_image', 'image must be a File, Blob, bytes, ReadableStream, or a URL.')
}

async function readUrl(url: string, signal: AbortSignal | undefined): Promise<Blob> {
  const inside = /^data:([^,]*),(.*)$/is.exec(url)
  if (inside) return readDataUrl(inside[1] ?? '', inside[2] ?? '')
  if (/^blob:/i.test(url)) return (await fetch(url, signal ? { signal } : {})).blob()
  throw new InputError(
    'invalid_image',
    'image is a text, but no http:, https:, data: or blob: URL. For a file: `import { fromPath } from "@kinora/sdk/node"` and pass `await fromPath(path)`.',
  )
}

/** Not by fetch, which a page's content security policy may forbid for data: URLs. */
function readDataUrl(type: string, data: string): Blob {
  try {
    const decoded = decodeURIComponent(data)
    const bytes = /;base64$/i.test(type)
      ? Uint8Array.from(atob(decoded), (character) => character.charCodeAt(0))
      : new TextEncoder().encode(decoded)
    return new Blob([bytes], { type: type.split(';')[0] ?? '' })
  } catch (cause) {
    throw new InputError('invalid_image', 'The data: URL given as image cannot be decoded.', cause)
  }
}

/** A stream is read before it is sent, because a retry needs the bytes again, and storage wants to know how many come. */
async function readStream(stream: ReadableStream<Uint8Array>, signal: AbortSignal | undefined): Promise<Blob> {
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let size = 0
  const reader = stream.getReader()
  const abort = (): void => void reader.cancel(signal?.reason).catch(() => {})
  signal?.addEventListener('abort', abort, { once: true })
  try {
    for (;;) {
      const { done, value } = await reader.read()
      signal?.throwIfAborted()
      if (done) return new Blob(chunks)
      size += value.byteLength
      if (size > MAX_IMAGE_BYTES) {
        abort()
        throw tooLarge('More than')
      }
      chunks.push(value.slice())
    }
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

async function withType(blob: Blob): Promise<Picture> {
  if (blob.size === 0) throw new InputError('invalid_image', 'image is empty: 0 bytes.')
  if (blob.size > MAX_IMAGE_BYTES) throw tooLarge(`${blob.size} bytes:`)
  const type = sniff(new Uint8Array(await blob.slice(0, 16).arrayBuffer())) ?? asContentType(blob.type)
  if (!type) {
    throw new InputError(
      'invalid_image',
      'image is not a picture that is understood: JPEG, PNG, WebP, AVIF, HEIC, GIF or TIFF.',
    )
  }
  return { blob, type }
}

function tooLarge(found: string): InputError {
  return new InputError(
    'invalid_image',
    `image is too large. ${found} at most ${MAX_IMAGE_BYTES} bytes (20 MB) are accepted.`,
  )
}

function asContentType(type: string): ImageContentType | undefined {
  return IMAGE_CONTENT_TYPES.find((known) => known === type.toLowerCase())
}

/** By first bytes, because a File's type is guessed from its name and often empty or wrong. */
function sniff(bytes: Uint8Array): ImageContentType | undefined {
  const text = String.fromCharCode(...bytes)
  if (text.startsWith('\xff\xd8\xff')) return 'image/jpeg'
  if (text.startsWith('\x89PNG')) return 'image/png'
  if (text.startsWith('GIF8')) return 'image/gif'
  if (text.startsWith('RIFF') && text.startsWith('WEBP', 8)) return 'image/webp'
  if (text.startsWith('II*\0') || text.startsWith('MM\0*')) return 'image/tiff'
  if (!text.startsWith('ftyp', 4)) return undefined
  const kind = text.slice(8, 12)
  if (/^avi[fs]/.test(kind)) return 'image/avif'
  return /^he[ivx][cmsx]/.test(kind) ? 'image/heic' : /^m[is]f1/.test(kind) ? 'image/heif' : undefined
}
