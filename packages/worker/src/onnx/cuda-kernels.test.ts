import { expect, test } from 'vitest'
import { missingCudaKernels } from './cuda-kernels.ts'
import { graph } from './operators.ts'

test('a node whose type CUDA has no kernel for is found', () => {
  const g = graph('g')
  const x = g.input('x', 'float32', [2, 2])
  const half = g.cast(x, 'bfloat16')
  g.output('fine', g.cast(g.add(half, half), 'float32'))
  expect(missingCudaKernels(g.model())).toEqual([])
  g.output('mean', g.cast(g.reduceMean(half, [1]), 'float32'))
  expect(missingCudaKernels(g.model())).toEqual(['ReduceMean: no kernel with bfloat16 as input 0'])
})

test('two types that do not go together are found', () => {
  const g = graph('g')
  const x = g.input('x', 'float32', [2])
  g.output('y', g.add(x, g.cast(x, 'float16')))
  expect(missingCudaKernels(g.model())).toEqual(['Add: no kernel for float32 and float16 together'])
})

test('an operator that nobody has looked up is found', () => {
  const g = graph('g')
  g.output('y', g.op('Einsum', [g.input('x', 'float32', [2])], { equation: 'i->i' }))
  expect(missingCudaKernels(g.model())).toEqual(['Einsum: not in the table of CUDA kernels'])
})
