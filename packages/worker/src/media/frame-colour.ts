/** Between RGB and the YCbCr that videos store: BT.709, limited range (ITU-R BT.709-6, section 3). */

import { checkSamples, type Frame } from './frame.ts'

/** What the colours are of brightness. */
export const lumaShares = { red: 0.2126, green: 0.7152, blue: 0.0722 } as const
const { red, green, blue } = lumaShares
/** What differences to brightness are divided by, so that they reach from -1/2 to 1/2. */
export const chroma = { blue: 2 * (1 - blue), red: 2 * (1 - red) } as const

/** Luma of 8-bit RGB, 16..235, not rounded. */
export function lumaOf(r: number, g: number, b: number): number {
  return 16 + (219 / 255) * (red * r + green * g + blue * b)
}

/** Cb of 8-bit RGB, 16..240, not rounded. */
export function blueDifferenceOf(r: number, g: number, b: number): number {
  return 128 + ((224 / 255) * (b - (red * r + green * g + blue * b))) / chroma.blue
}

/** Cr of 8-bit RGB, 16..240, not rounded. */
export function redDifferenceOf(r: number, g: number, b: number): number {
  return 128 + ((224 / 255) * (r - (red * r + green * g + blue * b))) / chroma.red
}

/** A frame's pixels as sRGB `[height, width, 3]`, whatever its format. Each chroma sample counts for its four pixels. */
export function frameToRgb(frame: Frame): Uint8Array {
  checkSamples(frame)
  if (frame.format !== 'yuv420p') return frame.data
  const { width, height, data } = frame
  const [blues, reds] = [width * height, width * height * 1.25]
  const rgb = new Uint8ClampedArray(width * height * 3)
  for (let row = 0, out = 0; row < height; row++) {
    for (let column = 0; column < width; column++, out += 3) {
      const half = (row >> 1) * (width >> 1) + (column >> 1)
      const y = (data[row * width + column]! - 16) * (255 / 219)
      const cb = (data[blues + half]! - 128) * (255 / 224)
      const cr = (data[reds + half]! - 128) * (255 / 224)
      rgb[out] = y + chroma.red * cr
      rgb[out + 1] = y - (red * chroma.red * cr + blue * chroma.blue * cb) / green
      rgb[out + 2] = y + chroma.blue * cb
    }
  }
  return new Uint8Array(rgb.buffer)
}
