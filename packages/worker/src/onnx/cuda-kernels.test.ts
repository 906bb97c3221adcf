import { describe, expect, test } from 'vitest'
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

describe('a norm and its scale', () => {
  type Float = 'float32' | 'float16' | 'bfloat16'

  function problems(type: 'LayerNormalization' | 'SimplifiedLayerNormalization', input: Float, scale: Float) {
    const g = graph('g')
    const x = g.cast(g.input('x', 'float32', [2, 4]), input)
    const normed = g.op(type, [x, g.constant(scale, [4], [1, 1, 1, 1])], { axis: -1 }, { dtype: scale })
    g.output('y', g.cast(normed, 'float32'))
    return missingCudaKernels(g.model())
  }

  test.each([
    ['LayerNormalization', 'float32', 'float32'],
    ['LayerNormalization', 'float16', 'float16'],
    ['LayerNormalization', 'bfloat16', 'bfloat16'],
    ['SimplifiedLayerNormalization', 'float32', 'float32'],
    ['SimplifiedLayerNormalization', 'bfloat16', 'bfloat16'],
    ['SimplifiedLayerNormalization', 'float32', 'float16'],
    ['SimplifiedLayerNormalization', 'float16', 'float32'],
  ] as const)('%s of %s with a %s scale has a kernel', (type, input, scale) =>
    expect(problems(type, input, scale)).toEqual([]),
  )

  test.each([
    ['LayerNormalization', 'bfloat16', 'float32'],
    ['LayerNormalization', 'float16', 'float32'],
    ['SimplifiedLayerNormalization', 'bfloat16', 'float32'],
    ['SimplifiedLayerNormalization', 'float32', 'bfloat16'],
    ['SimplifiedLayerNormalization', 'bfloat16', 'float16'],
  ] as const)('%s of %s with a %s scale has none', (type, input, scale) =>
    expect(problems(type, input, scale)).toEqual([`${type}: no kernel for ${input} and ${scale} together`]),
  )
})

describe('8-bit floats', () => {
  const range = { file: '/models/fp8.safetensors', offset: 8, length: 8 }

  test.each(['float8e4m3fn', 'float8e5m2'] as const)('%s becomes a float by a Cast, and nothing else', (dtype) => {
    const g = graph('g')
    const weight = g.weight('w', dtype, [2, 4], range)
    for (const type of ['float32', 'float16', 'bfloat16'] as const)
      g.output(type, g.cast(g.cast(weight, type), 'float32'))
    expect(missingCudaKernels(g.model())).toEqual([])
    g.output('whole', g.cast(weight, 'int32'))
    expect(missingCudaKernels(g.model())).toEqual([`Cast: no kernel for ${dtype} and int32 together`])
  })

  test('nothing adds them', () => {
    const g = graph('g')
    const weight = g.weight('w', 'float8e4m3fn', [2, 4], range)
    g.output('y', g.cast(g.add(weight, weight), 'float32'))
    expect(missingCudaKernels(g.model())).toEqual(['Add: no kernel with float8e4m3fn as input 0'])
  })

  test.each([
    ['bfloat16', 'float8e4m3fn', []],
    ['float16', 'float8e4m3fn', []],
    ['float32', 'float8e4m3fn', ['no kernel with float32 as input 0']],
    ['bfloat16', 'float8e5m2', ['no kernel with float8e5m2 as input 1']],
  ] as const)('a product of %s with a weight in %s', (activation, weight, expected) => {
    const g = graph('g')
    const x = g.cast(g.input('x', 'float32', [3, 4]), activation)
    const scale = g.constant('float32', [2, 1], [1, 1])
    const product = g.op(
      'MatMulBlockQuantizedFp8Weight',
      [x, g.weight('w', weight, [2, 4], range), scale],
      { block_size: 4 },
      { domain: 'com.microsoft' },
    )
    g.output('y', g.cast(product, 'float32'))
    const name = 'com.microsoft:MatMulBlockQuantizedFp8Weight'
    expect(missingCudaKernels(g.model())).toEqual(expected.map((problem) => `${name}: ${problem}`))
  })
})
