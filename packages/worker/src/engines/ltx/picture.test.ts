import { expect, test } from 'vitest'
import { float32Tensor } from '../../onnx/index.ts'
import { coverPicture, resizePixels } from './picture.ts'

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
