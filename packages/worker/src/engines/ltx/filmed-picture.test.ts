import { describe, expect, test } from 'vitest'
import type { Picture } from '../../media/frame.ts'
import { cutToAspect, filmPicture, samplePicture } from './filmed-picture.ts'

/** Every pixel tells where it was: column, row, 0. */
const located = (width: number, height: number): Picture => ({
  width,
  height,
  data: Uint8Array.from({ length: width * height * 3 }, (_, index) => {
    const pixel = Math.floor(index / 3)
    return [pixel % width, Math.floor(pixel / width), 0][index % 3]!
  }),
})
const grey = (width: number, values: readonly number[]): Picture => ({
  width,
  height: values.length / width,
  data: Uint8Array.from(values.flatMap((value) => [value, value, value])),
})

describe("cut to the video's aspect ratio, at the picture's own size", () => {
  // The authors' formula: int(height · aspect) wide from (width - that) // 2 where the picture is too wide, else int(width / aspect) high.
  test.each([
    ['too wide', [200, 100], [64, 96], { width: 66, height: 100, left: 67, top: 0 }],
    ['too high', [100, 201], [96, 64], { width: 100, height: 66, left: 0, top: 67 }],
    ['as it should be', [120, 80], [96, 64], { width: 120, height: 80, left: 0, top: 0 }],
    ['small', [10, 10], [768, 512], { width: 10, height: 6, left: 0, top: 2 }],
    ['a line', [200, 1], [64, 96], { width: 1, height: 1, left: 99, top: 0 }],
  ] as const)('%s', (_, [width, height], [videoWidth, videoHeight], expected) => {
    const cut = cutToAspect(located(width, height), videoWidth, videoHeight)
    const [left, top] = cut.data
    expect({ width: cut.width, height: cut.height, left, top }).toEqual(expected)
  })
})

describe('brought to a size', () => {
  const sampled = (picture: Picture, width: number, height: number) =>
    [...samplePicture(picture, width, height).data.subarray(0, width * height)].map((value) => (value + 1) * 127.5)

  test('larger: between the neighbours, by the distance of the centres', () => {
    expect(sampled(grey(2, [0, 100]), 4, 1)).toEqual([0, 25, 75, 100].map((value) => expect.closeTo(value, 3)))
  })

  test('smaller: the four nearest only, without smoothing over what lies between', () => {
    expect(sampled(grey(4, [0, 100, 40, 80]), 2, 1)).toEqual([50, 60].map((value) => expect.closeTo(value, 3)))
    // Centres at 2.5 - 0.5 = 2 and 7.
    expect(sampled(grey(10, [0, 0, 200, 0, 0, 0, 0, 90, 0, 0]), 2, 1)).toEqual(
      [200, 90].map((value) => expect.closeTo(value, 3)),
    )
  })

  test('both ways at once, in -1..1, channel by channel', () => {
    const { shape, data } = samplePicture({ width: 1, height: 2, data: Uint8Array.of(0, 255, 0, 255, 255, 51) }, 1, 3)
    expect(shape).toEqual([1, 3, 1, 3, 1])
    expect([...data]).toEqual([-1, 0, 1, 1, 1, 1, -1, -0.8, -0.6].map((value) => expect.closeTo(value, 6)))
  })
})

describe('the whole way', () => {
  const dot = grey(
    6,
    Array.from({ length: 36 }, (_, index) => (index === 14 ? 200 : 0)),
  )

  test('cut, softened, and sent through H.264 at the rate asked for', async () => {
    const seen: { picture: Picture; crf: number }[] = []
    const roundTrip = async (picture: Picture, crf: number) => {
      seen.push({ picture, crf })
      return { ...picture, data: picture.data.map((value) => value + 1) }
    }
    const filmed = await filmPicture(dot, { width: 64, height: 32, crf: 31, roundTrip })
    expect(seen).toMatchObject([{ crf: 31, picture: { width: 6, height: 3 } }])
    // The dot stood in row 2, column 2; the cut began at row 1.
    expect(seen[0]?.picture.data[(1 * 6 + 2) * 3]).toBe(41)
    expect(filmed.data[(1 * 6 + 2) * 3]).toBe(42)
  })

  test('at CRF 0 it is cut and softened only', async () => {
    const filmed = await filmPicture(dot, { width: 64, height: 32, crf: 0 })
    expect(filmed.data[(1 * 6 + 2) * 3]).toBe(41)
  })

  test('without a way through H.264 nothing is promised', async () => {
    await expect(filmPicture(dot, { width: 64, height: 32, crf: 29 })).rejects.toThrow(/needs a way through H\.264/)
  })
})
