import { expect, test } from 'vitest'
import { blurPicture } from './blur.ts'
import type { Picture } from './frame.ts'

/** A grey picture. */
const grey = (width: number, values: readonly number[]): Picture => ({
  width,
  height: values.length / width,
  data: Uint8Array.from(values.flatMap((value) => [value, value, value])),
})
const values = (picture: Picture) => Array.from(picture.data.filter((_, index) => index % 3 === 0))

// exp(-1/2) = 0.606531, so the weights are 1 / 2.213061 = 0.451863 in the middle and 0.274069 at the sides.
test('one bright pixel spreads by the Gaussian of deviation 1 over three by three', () => {
  const dot = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
  const corner = Math.round(200 * 0.274069 ** 2)
  const edge = Math.round(200 * 0.274069 * 0.451863)
  const middle = Math.round(200 * 0.451863 ** 2)
  expect([corner, edge, middle]).toEqual([15, 25, 41])
  // prettier-ignore
  expect(values(blurPicture(grey(5, dot)))).toEqual([
    0, 0, 0, 0, 0,
    0, 15, 25, 15, 0,
    0, 25, 41, 25, 0,
    0, 15, 25, 15, 0,
    0, 0, 0, 0, 0,
  ])
})

test('edges are mirrored: what lies inside counts twice', () => {
  // 0.451863 · 100 + 2 · 0.274069 · 0, 0.274069 · 100 + 0.451863 · 0 + 0.274069 · 100, then the same from the other side
  expect(values(blurPicture(grey(3, [100, 0, 100])))).toEqual([45, 55, 45])
  expect(values(blurPicture(grey(1, [100, 0, 100])))).toEqual([45, 55, 45])
})

test('each channel keeps to itself', () => {
  const picture = { width: 2, height: 1, data: Uint8Array.of(200, 0, 50, 0, 100, 50) }
  expect([...blurPicture(picture).data]).toEqual([90, 55, 50, 110, 45, 50])
})

test.each([0, 1, 127, 254, 255])('an even area of %i stays as it is, down to one pixel', (value) => {
  expect(
    values(
      blurPicture(
        grey(
          4,
          Array.from({ length: 12 }, () => value),
        ),
      ),
    ),
  ).toEqual(Array.from({ length: 12 }, () => value))
  expect(values(blurPicture(grey(1, [value])))).toEqual([value])
})
