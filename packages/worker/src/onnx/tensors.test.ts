import { expect, test } from 'vitest'
import { float32Tensor } from './tensors.ts'

test('a tensor holds as many values as its shape says', () => {
  expect(() => float32Tensor([2, 2], [1, 2, 3])).toThrow('has 4 elements, not 3')
  expect(float32Tensor([2, 2]).data).toEqual(new Float32Array(4))
})
