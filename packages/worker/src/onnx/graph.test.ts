import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { float32ToBfloat16, float32ToFloat16 } from '../weights/dtype.ts'
import { afterEach, describe, expect, test } from 'vitest'
import {
  float32Output,
  float32Tensor,
  graph,
  int64Tensor,
  missingCudaKernels,
  openSession,
  type EncodedGraph,
  type Tensor,
} from './index.ts'

let folder: string | undefined
afterEach(async () => folder && rm(folder, { recursive: true, force: true }))

async function run(encoded: EncodedGraph, inputs: Record<string, Tensor>) {
  const session = await openSession(encoded)
  const outputs = await session.run(inputs)
  await session.close()
  return outputs
}

describe('graphs run in ONNX Runtime', () => {
  test('sizes may be left open until the graph runs', async () => {
    const g = graph('double')
    const x = g.input('x', 'float32', [1, 'width'])
    g.output('y', g.add(x, x))
    const encoded = g.encode()
    expect((await run(encoded, { x: float32Tensor([1, 2], [1, 2]) }))['y']).toMatchObject({ shape: [1, 2] })
    expect(float32Output(await run(encoded, { x: float32Tensor([1, 3], [1, 2, 3]) }), 'y').data).toEqual(
      Float32Array.of(2, 4, 6),
    )
  })

  test('a picture is sampled through a grid', async () => {
    const g = graph('sample')
    const x = g.input('x', 'float32', [1, 1, 'h', 'w'])
    const grid = g.input('grid', 'float32', [1, 'H', 'W', 2])
    g.output('y', g.gridSample(x, grid, { padding: 'border', alignCorners: true }))
    const outputs = await run(g.encode(), {
      x: float32Tensor([1, 1, 1, 2], [10, 20]),
      grid: float32Tensor([1, 1, 3, 2], [-1, 0, 0, 0, 5, 0]),
    })
    expect([...float32Output(outputs, 'y').data]).toEqual([10, 15, 20])
  })

  test('integers, strings, lists and floats arrive as attributes of their own kind', async () => {
    const g = graph('attributes')
    const x = g.input('x', 'float32', [2, 2])
    g.output('gelu', g.geluTanh(x))
    g.output('transposed', g.transpose(x, [1, 0]))
    g.output('normed', g.rmsNorm(x, g.constant('float32', [2], [1, 2]), 1))
    const outputs = await run(g.encode(), { x: float32Tensor([2, 2], [1, 2, 3, 4]) })
    expect([...float32Output(outputs, 'transposed').data]).toEqual([1, 3, 2, 4])
    expect(float32Output(outputs, 'gelu').data[0]).toBeCloseTo(0.841192, 5)
    expect(float32Output(outputs, 'normed').data[1]).toBeCloseTo((2 * 2) / Math.sqrt(2.5 + 1), 5)
  })

  test('operators with several results and optional inputs', async () => {
    const g = graph('split')
    const x = g.input('x', 'int64', [3])
    const [a, b] = g.split(x, 0, [1, 2])
    if (a && b) g.output('y', g.op('Clip', [b, undefined, g.op('Squeeze', [a])]))
    expect((await run(g.encode(), { x: int64Tensor([3], [5, 3, 9]) }))['y']).toMatchObject({
      data: BigInt64Array.of(3n, 5n),
    })
  })

  test.each(['float32', 'float16', 'bfloat16'] as const)(
    '%s weights are read from the middle of a file, at any byte',
    async (dtype) => {
      folder = await realpath(await mkdtemp(join(tmpdir(), 'kinora-onnx-')))
      const file = join(folder, 'weights.safetensors')
      const values = Float32Array.of(1, -2.5, 0.125, 1024)
      const encoded =
        dtype === 'float32' ? values : dtype === 'float16' ? float32ToFloat16(values) : float32ToBfloat16(values)
      const bytes = Buffer.from(encoded.buffer)
      await writeFile(file, Buffer.concat([Buffer.alloc(13), bytes, Buffer.alloc(5)]))
      const g = graph('weights')
      const x = g.input('x', 'float32', [4])
      const weight = g.weight('w', dtype, [4], { file, offset: 13, length: bytes.length })
      g.output('y', g.add(x, g.cast(weight, 'float32', { first: true })))
      const session = await openSession(g.encode(), { weightsStayInFiles: true })
      const outputs = await session.run({ x: float32Tensor([4], [0, 0, 0, 1]) })
      await session.close()
      expect([...float32Output(outputs, 'y').data]).toEqual([1, -2.5, 0.125, 1025])
    },
  )

  test('a missing weights file is an error that names graph and file', async () => {
    const g = graph('transformer')
    const x = g.input('x', 'float32', [1])
    g.output(
      'y',
      g.add(
        x,
        g.weight('w', 'float32', [1], {
          file: join(tmpdir(), 'kinora-none', 'gone.safetensors'),
          offset: 0,
          length: 4,
        }),
      ),
    )
    await expect(openSession(g.encode())).rejects.toThrow(/transformer could not be loaded on cpu.*gone\.safetensors/s)
  })
})

describe('graphs inside graphs', () => {
  test('one of two branches is computed, with values of the graph around it', async () => {
    const g = graph('branches')
    const x = g.input('x', 'float32', [2])
    const large = g.op(
      'Greater',
      [g.op('ReduceMax', [x], { keepdims: 0 }), g.scalar('float32', 10)],
      {},
      { dtype: 'bool' },
    )
    const [y] = g.when(
      large,
      (body) => [body.div(x, body.scalar('float32', 10))],
      // A value of the graph around it may be a branch's result as it is.
      () => [x],
    )
    if (y) g.output('y', y)
    expect(float32Output(await run(g.encode(), { x: float32Tensor([2], [20, 40]) }), 'y').data).toEqual(
      Float32Array.of(2, 4),
    )
    expect(float32Output(await run(g.encode(), { x: float32Tensor([2], [2, 4]) }), 'y').data).toEqual(
      Float32Array.of(2, 4),
    )
  })

  test('a loop carries values from round to round and keeps each one\u2019s, with weights that stay in their file', async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'kinora-onnx-')))
    const file = join(folder, 'weights.safetensors')
    await writeFile(file, Buffer.from(float32ToBfloat16(Float32Array.of(3, 5)).buffer))
    const g = graph('repeat')
    const rounds = g.input('rounds', 'int64', [])
    const x = g.input('x', 'float32', [2])
    const { carried, scanned } = g.loop(rounds, [x], (body, round, [value]) => {
      if (value === undefined) throw new Error('One value is carried.')
      const weight = body.cast(body.weight('w', 'bfloat16', [2], { file, offset: 0, length: 4 }), 'float32', {
        first: true,
      })
      const next = body.add(body.mul(value, weight), body.cast(round, 'float32'))
      return { carried: [next], scanned: [body.mul(next, body.scalar('float32', 2))] }
    })
    for (const [name, values] of Object.entries({ last: carried, each: scanned }))
      for (const value of values) g.output(name, value)
    const outputs = await run(g.encode(), { rounds: int64Tensor([], [3]), x: float32Tensor([2], [1, 1]) })
    // 3 + 0, 9 + 1, 30 + 2 and 5 + 0, 25 + 1, 130 + 2.
    expect([...float32Output(outputs, 'last').data]).toEqual([32, 132])
    expect(outputs['each']).toMatchObject({ shape: [3, 2], data: Float32Array.of(6, 10, 20, 52, 64, 264) })
  })

  test('rounds and branches whose types do not fit together are refused', () => {
    const g = graph('g')
    const x = g.input('x', 'float32', [1])
    const yes = g.constant('bool', [], [1])
    expect(() =>
      g.when(
        yes,
        () => [x],
        (body) => [body.cast(x, 'float16')],
      ),
    ).toThrow(/\[float32\] and \[float16\]/)
    expect(() => g.loop(g.constant('int64', [], [2]), [x], () => ({ carried: [] }))).toThrow(/must hand on/)
  })

  test('the check for CUDA looks inside', () => {
    const g = graph('g')
    const x = g.input('x', 'float32', [1])
    const { carried } = g.loop(g.constant('int64', [], [2]), [x], (body, _, [value]) => ({
      carried: value ? [body.op('Acosh', [value])] : [],
    }))
    for (const value of carried) g.output('y', value)
    expect(missingCudaKernels(g.model())).toEqual(['Acosh: not in the table of CUDA kernels'])
  })
})

describe('mistakes are found while building', () => {
  test('a weight whose bytes do not fit its shape', () => {
    const g = graph('g')
    expect(() => g.weight('w', 'bfloat16', [2, 3], { file: '/w', offset: 0, length: 10 })).toThrow(
      /w: 10 bytes.*needs 12/,
    )
  })

  test('two values of one name', () => {
    const g = graph('g')
    g.input('x', 'float32', [1])
    expect(() => g.input('x', 'float32', [1])).toThrow(/two values named x/)
  })
})
