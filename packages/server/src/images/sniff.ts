/** Tells picture formats apart by their first bytes, and names what other things are sent in their place. */
import type { ImageContentType } from '@kinora/protocol'

export type Sniffed =
  | { readonly contentType: ImageContentType; readonly format: string }
  | { readonly contentType: undefined; readonly reason: string }

/** ISO base media files name their kind in `ftyp`: the major brand, then compatible ones. */
const HEIF_BRANDS: Readonly<Record<string, { contentType: ImageContentType; format: string }>> = {
  avif: { contentType: 'image/avif', format: 'avif' },
  avis: { contentType: 'image/avif', format: 'avif' },
  heic: { contentType: 'image/heic', format: 'heic' },
  heix: { contentType: 'image/heic', format: 'heic' },
  hevc: { contentType: 'image/heic', format: 'heic' },
  hevx: { contentType: 'image/heic', format: 'heic' },
  heim: { contentType: 'image/heic', format: 'heic' },
  heis: { contentType: 'image/heic', format: 'heic' },
}

/** What the bytes are. SVG is refused: it is a program that fetches things, not a picture. */
export function sniffImage(bytes: Uint8Array): Sniffed {
  const latin = (start: number, end: number): string =>
    String.fromCharCode(...bytes.subarray(start, Math.min(end, bytes.length)))

  if (bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff) return { contentType: 'image/jpeg', format: 'jpeg' }
  if (latin(0, 8) === '\x89PNG\r\n\x1a\n') return { contentType: 'image/png', format: 'png' }
  if (latin(0, 4) === 'RIFF' && latin(8, 12) === 'WEBP') return { contentType: 'image/webp', format: 'webp' }
  if (/^GIF8[79]a/.test(latin(0, 6))) return { contentType: 'image/gif', format: 'gif' }
  if (['II*\0', 'MM\0*', 'II+\0', 'MM\0+'].includes(latin(0, 4))) return { contentType: 'image/tiff', format: 'tiff' }
  if (latin(4, 8) === 'ftyp') return sniffIsoMedia(latin)
  return { contentType: undefined, reason: describeOther(latin(0, 512)) }
}

function sniffIsoMedia(latin: (start: number, end: number) => string): Sniffed {
  // Sixteen brands are more than any real file names.
  const brands = [latin(8, 12), ...(latin(16, 80).match(/.{4}/gs) ?? [])]
  for (const brand of brands) {
    const kind = HEIF_BRANDS[brand]
    if (kind) return kind
  }
  if (brands.includes('mif1')) return { contentType: 'image/heif', format: 'heic' }
  return { contentType: undefined, reason: 'The file is a video, not a picture.' }
}

function describeOther(start: string): string {
  const text = start
    .replace(/^\u00ef\u00bb\u00bf/, '')
    .trimStart()
    .toLowerCase()
  if (text.includes('<svg')) return 'The picture is SVG, which is not supported. Send it as JPEG, PNG, WebP or AVIF.'
  if (text.startsWith('<!doctype html') || text.startsWith('<html') || text.includes('<head')) {
    return 'The file is a web page, not a picture: give the address of the picture itself.'
  }
  if (text.startsWith('%pdf')) return 'The file is a PDF, not a picture.'
  if (text.startsWith('{') || text.startsWith('[')) return 'The file is JSON text, not a picture.'
  if (text.startsWith('bm')) return 'The picture is BMP, which is not supported. Send it as JPEG, PNG, WebP or AVIF.'
  return 'The file is not a picture in a known format. Send JPEG, PNG, WebP, AVIF, GIF or TIFF.'
}
