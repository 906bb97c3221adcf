import { describe, expect, test } from 'vitest'
import { float32Tensor, matrixSizes, videoSizes } from './tensors.ts'

test('a tensor holds as many values as its shape says', () => {
  expect(() => float32Tensor([2, 2], [1, 2, 3])).toThrow('has 4 elements, not 3')
  expect(float32Tensor([2, 2]).data).toEqual(new Float32Array(4))
})

describe('sizes are read from tensors of the right kind only', () => {
  test('matrices', () => {
    expect(matrixSizes(float32Tensor([2, 3]))).toEqual([2, 3])
    expect(() => matrixSizes(float32Tensor([2, 3, 4]))).toThrow(/\[2, 3, 4\] is not a matrix/)
  })

  test('videos', () => {
    expect(videoSizes(float32Tensor([1, 3, 9, 4, 6]))).toEqual({ channels: 3, frames: 9, height: 4, width: 6 })
    expect(() => videoSizes(float32Tensor([2, 3, 9, 4, 6]))).toThrow(/not one video/)
  })

  test('numbers that were swapped for too few are noticed', () => {
    const latents = { ...float32Tensor([1, 2, 1, 2, 2]), data: new Float32Array(7) }
    expect(() => videoSizes(latents)).toThrow(/has 8 elements, not 7/)
  })
})
