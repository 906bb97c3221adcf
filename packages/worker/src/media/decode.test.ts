import sharp from 'sharp'
import { describe, expect, test } from 'vitest'
import { decodePicture } from './decode.ts'

/** Left half red, right half blue, 8x4. */
function redAndBlue() {
  return sharp({ create: { width: 8, height: 4, channels: 3, background: '#f00' } }).composite([
    { input: { create: { width: 4, height: 4, channels: 3, background: '#00f' } }, left: 4, top: 0 },
  ])
}

function pixel(picture: { width: number; data: Uint8Array }, x: number, y: number): number[] {
  const offset = (y * picture.width + x) * 3
  return [...picture.data.subarray(offset, offset + 3)]
}

function near(actual: number[], expected: number[], tolerance: number) {
  for (const [index, value] of expected.entries()) {
    expect(
      Math.abs((actual[index] ?? NaN) - value),
      `${actual.join()} is not near ${expected.join()}`,
    ).toBeLessThanOrEqual(tolerance)
  }
}

describe('formats', () => {
  test.each(['png', 'webp', 'gif', 'tiff', 'jpeg', 'avif'] as const)('%s', async (format) => {
    const bytes = await redAndBlue().toFormat(format, { quality: 100 }).toBuffer()
    const picture = await decodePicture(bytes)
    expect(picture).toMatchObject({ width: 8, height: 4 })
    expect(picture.data.byteLength).toBe(8 * 4 * 3)
    near(pixel(picture, 0, 0), [255, 0, 0], 12)
    near(pixel(picture, 7, 3), [0, 0, 255], 12)
  })

  test('EXIF rotation is applied: orientation 6 turns the picture upright', async () => {
    const picture = await decodePicture(await redAndBlue().png().withMetadata({ orientation: 6 }).toBuffer())
    expect(picture).toMatchObject({ width: 4, height: 8 })
    near(pixel(picture, 0, 0), [255, 0, 0], 0)
    near(pixel(picture, 0, 7), [0, 0, 255], 0)
  })

  test('transparent parts become white, half transparent ones mix with it', async () => {
    const clear = { width: 2, height: 2, channels: 4 as const, background: { r: 0, g: 0, b: 0, alpha: 0 } }
    near(pixel(await decodePicture(await sharp({ create: clear }).png().toBuffer()), 1, 1), [255, 255, 255], 0)
    const half = { ...clear, background: { r: 0, g: 0, b: 0, alpha: 0.5 } }
    near(pixel(await decodePicture(await sharp({ create: half }).png().toBuffer()), 1, 1), [127, 127, 127], 2)
  })

  test('grayscale, also with transparency, becomes three channels', async () => {
    const grey = await sharp({ create: { width: 3, height: 2, channels: 3, background: '#808080' } })
      .toColourspace('b-w')
      .png()
      .toBuffer()
    expect((await sharp(grey).metadata()).channels).toBe(1)
    near(pixel(await decodePicture(grey), 2, 1), [128, 128, 128], 1)
    const translucent = await sharp(grey).ensureAlpha(0.5).png().toBuffer()
    near(pixel(await decodePicture(translucent), 2, 1), [191, 191, 191], 2)
  })

  test('CMYK becomes sRGB', async () => {
    const bytes = await redAndBlue().toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer()
    expect((await sharp(bytes).metadata()).space).toBe('cmyk')
    const [red, green, blue] = pixel(await decodePicture(bytes), 1, 1)
    expect(red).toBeGreaterThan(180)
    expect(green).toBeLessThan(80)
    expect(blue).toBeLessThan(80)
  })

  test('16 bits a channel are reduced to 8, not cut off', async () => {
    const bytes = await sharp({ create: { width: 2, height: 2, channels: 3, background: '#c86432' } })
      .toColourspace('rgb16')
      .png()
      .toBuffer()
    expect((await sharp(bytes).metadata()).depth).toBe('ushort')
    near(pixel(await decodePicture(bytes), 0, 0), [0xc8, 0x64, 0x32], 1)
  })

  test('16-bit grayscale', async () => {
    const values = Uint16Array.of(0, 0x8000, 0xffff, 0x4000)
    const bytes = await sharp(values, { raw: { width: 2, height: 2, channels: 1 } })
      .toColourspace('grey16')
      .png()
      .toBuffer()
    expect((await sharp(bytes).metadata()).depth).toBe('ushort')
    near(pixel(await decodePicture(bytes), 1, 0), [128, 128, 128], 1)
  })

  test('of an animated picture the first page', async () => {
    const pages = Buffer.concat([Buffer.alloc(4 * 4 * 3, 10), Buffer.alloc(4 * 4 * 3, 240)])
    const bytes = await sharp(pages, { raw: { width: 4, height: 8, channels: 3, pageHeight: 4 } })
      .gif()
      .toBuffer()
    expect((await sharp(bytes, { animated: true }).metadata()).pages).toBe(2)
    const picture = await decodePicture(bytes)
    expect(picture).toMatchObject({ width: 4, height: 4 })
    near(pixel(picture, 2, 2), [10, 10, 10], 2)
  })

  test('a single pixel', async () => {
    const bytes = await sharp({ create: { width: 1, height: 1, channels: 3, background: '#123456' } })
      .png()
      .toBuffer()
    expect([...(await decodePicture(bytes)).data]).toEqual([0x12, 0x34, 0x56])
  })
})

describe('refusals say why', () => {
  const refused = (bytes: Uint8Array, code: string, words: RegExp, limits = {}) =>
    expect(decodePicture(bytes, limits)).rejects.toMatchObject({
      name: 'EngineError',
      code,
      message: expect.stringMatching(words),
      retryable: false,
    })

  test('not a picture', () => refused(Buffer.from('<html>404</html>'), 'image_invalid', /not a picture/))
  test('nothing at all', () => refused(new Uint8Array(), 'image_invalid', /not a picture/))
  test('SVG', () =>
    refused(
      Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'),
      'image_invalid',
      /SVG.*Send JPEG/,
    ))
  test('half a JPEG', async () => {
    const noise = Uint8Array.from({ length: 64 * 64 * 3 }, (_, index) => (index * 7919) % 251)
    const bytes = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
      .jpeg()
      .toBuffer()
    await refused(bytes.subarray(0, bytes.length / 2), 'image_invalid', /damaged/)
  })
  test('HEIC without a decoder', () =>
    refused(
      Buffer.concat([Buffer.from([0, 0, 0, 24]), Buffer.from('ftypheic'), Buffer.alloc(64)]),
      'image_invalid',
      /HEIC/,
    ))
  test('too many bytes', () => refused(new Uint8Array(20 * 1024 * 1024 + 1), 'image_too_large', /20\.0 MB/))
  test('more than 50 megapixels', async () => {
    const bytes = await sharp({ create: { width: 10_000, height: 5_001, channels: 3, background: '#fff' } })
      .png({ compressionLevel: 1 })
      .toBuffer()
    await refused(bytes, 'image_too_large', /10000x5001.*50 megapixels/)
  })
})
