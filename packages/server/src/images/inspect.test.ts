import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import { inspectImage } from './inspect.ts'

const picture = (width = 40, height = 30) =>
  sharp({ create: { width, height, channels: 3, background: { r: 200, g: 90, b: 20 } } })
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

describe('a picture is looked at', () => {
  it.each([
    ['image/jpeg', 'jpeg', picture().jpeg()],
    ['image/png', 'png', picture().png()],
    ['image/webp', 'webp', picture().webp()],
    ['image/avif', 'avif', picture().avif({ effort: 0 })],
    ['image/gif', 'gif', picture().gif()],
    ['image/tiff', 'tiff', picture().tiff()],
  ])('%s is known by its bytes', async (contentType, format, made) => {
    expect(await inspectImage(await made.toBuffer())).toEqual({ contentType, format, width: 40, height: 30 })
  })

  it('reports the upright size of a picture that lies on its side', async () => {
    const bytes = await picture().withMetadata({ orientation: 6 }).jpeg().toBuffer()
    expect(await inspectImage(bytes)).toMatchObject({ width: 30, height: 40 })
  })

  it('takes grayscale, CMYK, 16-bit and transparent pictures', async () => {
    const made = [
      picture().grayscale().jpeg(),
      picture().toColourspace('cmyk').jpeg(),
      picture().toColourspace('rgb16').png(),
      picture().ensureAlpha(0.5).png(),
    ]
    for (const one of made) expect(await inspectImage(await one.toBuffer())).toMatchObject({ width: 40, height: 30 })
  })

  it.each([
    ['', 'is empty'],
    ['<svg xmlns="http://www.w3.org/2000/svg"/>', 'SVG, which is not supported'],
    ['<?xml version="1.0"?>\n<svg/>', 'SVG, which is not supported'],
    ['<!DOCTYPE html><title>Not found</title>', 'is a web page'],
    ['{"error":"not found"}', 'is JSON text'],
    ['%PDF-1.7', 'is a PDF'],
    ['BM......', 'BMP, which is not supported'],
    ['\0\0\0\x18ftypmp42\0\0\0\0mp42isom', 'is a video'],
    ['\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'HEIC, which this server cannot read'],
    ['nonsense', 'not a picture in a known format'],
  ])('%j is refused by name', async (bytes, reason) => {
    await expect(inspectImage(text(bytes))).rejects.toMatchObject({
      code: 'image_invalid',
      message: expect.stringContaining(reason),
    })
  })

  it('refuses a picture that is cut off or only begins like one', async () => {
    const noise = await sharp(Buffer.alloc(200 * 200 * 3, 'kinora'), { raw: { width: 200, height: 200, channels: 3 } })
      .jpeg()
      .toBuffer()
    await expect(inspectImage(noise.subarray(0, noise.length / 2))).rejects.toThrow(/JPEG but is damaged or cut off/)
    const png = await picture().png().toBuffer()
    await expect(inspectImage(png.subarray(0, 40))).rejects.toThrow(/PNG but is damaged or cut off/)
    await expect(inspectImage(new Uint8Array([0xff, 0xd8, 0xff, 0xe0]))).rejects.toMatchObject({
      code: 'image_invalid',
    })
  })

  it('refuses too many bytes, and too many pixels without unpacking them', async () => {
    await expect(inspectImage(new Uint8Array(11), { maxBytes: 10 })).rejects.toMatchObject({ code: 'image_too_large' })
    const bomb = await sharp({
      create: { width: 16_000, height: 16_000, channels: 3, background: 'black' },
      limitInputPixels: false,
    })
      .png({ compressionLevel: 1 })
      .toBuffer()
    expect(bomb.byteLength).toBeLessThan(20 * 1024 * 1024)
    const before = performance.now()
    await expect(inspectImage(bomb)).rejects.toThrow(/16000 x 16000 pixels \(256.0 megapixels\); at most 50 megapixels/)
    expect(performance.now() - before).toBeLessThan(500)
  })
})
