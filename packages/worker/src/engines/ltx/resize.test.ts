import { describe, expect, test } from 'vitest'
import { coverPicture, resizePixels } from './picture.ts'
import { resizePicture } from './resize.ts'
import { float32Tensor } from '../../onnx/index.ts'

function picture(width: number, height: number) {
  return {
    width,
    height,
    data: Uint8Array.from(
      { length: width * height * 3 },
      (_, index) => (index * 37 + Math.floor(index / 7) * 11) % 256,
    ),
  }
}

describe("resizing gives Pillow's bytes", () => {
  // PIL.Image.fromarray(data).resize((4, 3), Image.LANCZOS) and the like, with Pillow 12.
  test('smaller', () => {
    expect([...resizePicture(picture(9, 7), 4, 3).data]).toEqual([
      85, 83, 140, 168, 119, 111, 138, 178, 105, 115, 167, 156, 93, 133, 137, 86, 115, 158, 138, 102, 124, 173, 141, 85,
      137, 173, 92, 115, 159, 132, 91, 125, 172, 125, 79, 131,
    ])
  })

  test('larger', () => {
    expect([...resizePicture(picture(3, 2), 5, 4).data]).toEqual([
      0, 6, 37, 5, 72, 127, 96, 133, 213, 211, 54, 109, 255, 0, 12, 17, 41, 86, 51, 107, 120, 131, 168, 148, 179, 89,
      102, 187, 20, 61, 55, 89, 152, 112, 155, 111, 179, 216, 65, 138, 137, 93, 90, 64, 127, 85, 124, 201, 158, 190,
      104, 214, 251, 0, 106, 172, 86, 15, 99, 176,
    ])
  })

  test('the same size changes nothing', () => {
    expect(resizePicture(picture(5, 4), 5, 4)).toEqual(picture(5, 4))
  })
})

test('another aspect ratio is cut, not stretched', () => {
  const wide = { width: 30, height: 10, data: new Uint8Array(900).fill(10) }
  // Left and right thirds are white; the middle, which a square keeps, is not.
  for (let y = 0; y < 10; y++)
    for (let x = 0; x < 30; x++) if (x < 10 || x >= 20) wide.data.fill(255, (y * 30 + x) * 3, (y * 30 + x) * 3 + 3)
  expect(new Set(coverPicture(wide, 32, 32).data)).toEqual(new Set([10]))
})

test('frames are resized between the centres of pixels', () => {
  const pixels = float32Tensor([1, 1, 1, 1, 4], [0, 1, 2, 3])
  expect([...resizePixels(pixels, 2, 1).data]).toEqual([0.5, 2.5])
  expect([...resizePixels(pixels, 8, 1).data]).toEqual([0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3])
})
