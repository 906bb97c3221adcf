/** Resizes pictures with a Lanczos filter of three lobes, to the bit as Pillow does: the checkpoints' reference pipelines use it. */

import { checkSamples, type Picture } from './frame.ts'

const lobes = 3
const precision = 2 ** 22

interface Contribution {
  readonly first: number
  readonly weights: readonly number[]
}

/** Stretches where the aspect ratios differ. */
export function resizePicture(picture: Picture, width: number, height: number): Picture {
  checkSamples(picture)
  if (picture.width === width && picture.height === height) return picture
  const narrowed = picture.width === width ? picture : resizeRows(picture, width)
  return narrowed.height === height ? narrowed : transpose(resizeRows(transpose(narrowed), height))
}

function resizeRows(picture: Picture, width: number): Picture {
  const contributions = lanczosContributions(picture.width, width)
  const data = new Uint8ClampedArray(width * picture.height * 3)
  for (let row = 0; row < picture.height; row++) {
    for (let column = 0; column < width; column++) {
      const { first, weights } = contributions[column]!
      for (let channel = 0; channel < 3; channel++) {
        let sum = precision / 2
        let place = (row * picture.width + first) * 3 + channel
        for (const weight of weights) {
          sum += picture.data[place]! * weight
          place += 3
        }
        data[(row * width + column) * 3 + channel] = Math.floor(sum / precision)
      }
    }
  }
  return { width, height: picture.height, data: new Uint8Array(data.buffer) }
}

/** For each output pixel, the input pixels it is made of, with integer weights (22 bits after the point). */
function lanczosContributions(from: number, to: number): Contribution[] {
  const scale = from / to
  const filterScale = Math.max(scale, 1)
  const support = lobes * filterScale
  return Array.from({ length: to }, (_, index) => {
    const centre = (index + 0.5) * scale
    const first = Math.max(0, Math.trunc(centre - support + 0.5))
    const last = Math.min(from, Math.trunc(centre + support + 0.5))
    const raw = Array.from({ length: last - first }, (__, offset) =>
      lanczos((offset + first - centre + 0.5) / filterScale),
    )
    const sum = raw.reduce((total, weight) => total + weight, 0)
    return { first, weights: raw.map((weight) => Math.trunc((weight / sum) * precision + (weight < 0 ? -0.5 : 0.5))) }
  })
}

function lanczos(x: number): number {
  return x >= -lobes && x < lobes ? sinc(x) * sinc(x / lobes) : 0
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI)
}

function transpose({ width, height, data }: Picture): Picture {
  const turned = new Uint8Array(data.length)
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const from = (row * width + column) * 3
      turned.set(data.subarray(from, from + 3), (column * height + row) * 3)
    }
  }
  return { width: height, height: width, data: turned }
}
