import { describe, expect, test } from 'vitest'
import { resizePicture } from './lanczos.ts'

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

test('a picture with too few samples is refused, not filled with black', () => {
  expect(() => resizePicture({ width: 4, height: 4, data: new Uint8Array(47) }, 2, 2)).toThrow(/48 bytes, not 47/)
})
