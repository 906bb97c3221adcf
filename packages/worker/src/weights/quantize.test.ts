import { createHash } from 'node:crypto'
import { mkdtemp, open, readdir, readFile, realpath, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { float32, writeSafetensors } from '../../test/fixtures/hub/write-safetensors.ts'
import {
  pruneDerived,
  quantizeWeights,
  readSafetensors,
  readTensor,
  readTensorBytes,
  verifyDerived,
  type TensorEntry,
} from './index.ts'

let folder: string
beforeEach(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'kinora-int8-')))
})
afterEach(() => rm(folder, { recursive: true }))

/** Rows of a size of their own each, so that every scale is another. */
function matrix(outputs: number, inputs: number): number[] {
  return Array.from({ length: outputs * inputs }, (_, index) =>
    Math.fround(Math.sin(index * 7.3) * (1 + Math.floor(index / inputs))),
  )
}

async function source(count = 3): Promise<TensorEntry[]> {
  const tensors = Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`layer.${index}`, float32(matrix(70, 130), [70, 130])]),
  )
  const { tensors: entries } = await readSafetensors(
    await writeSafetensors(join(folder, 'source.safetensors'), tensors),
  )
  return [...entries.values()]
}

async function int8Files(): Promise<string[]> {
  return (await readdir(join(folder, 'int8')))
    .filter((name) => !name.endsWith('.lock'))
    .map((name) => join(folder, 'int8', name))
}

test('rounds each row by its own scale, ties to even, and stores the integers transposed', async () => {
  const rows = [
    [127, 63.5, -0.5, 1.5],
    [0, 0, 0, 0],
    [-254, 1, 3, 254],
  ]
  const file = await writeSafetensors(join(folder, 'small.safetensors'), { w: float32(rows.flat(), [3, 4]) })
  const tensors = [...(await readSafetensors(file)).tensors.values()]
  const { values, scales } = (await quantizeWeights({ tensors, folder: join(folder, 'int8') })).get('w')!
  expect(values).toMatchObject({ dtype: 'I8', shape: [4, 3] })
  expect(scales).toMatchObject({ dtype: 'F32', shape: [3] })
  expect([...(await readTensor(scales))]).toEqual([1, 1, 2])
  expect([...new Int8Array((await readTensorBytes(values)).buffer)]).toEqual(
    [127, 0, -127, 64, 0, 0, -0, 0, 2, 2, 0, 127].map((value) => value + 0),
  )
})

test('is within half a step of every weight, whatever the format of the source', async () => {
  const weights = matrix(70, 130)
  const [entry] = await source(1)
  const { values, scales } = (await quantizeWeights({ tensors: [entry!], folder: join(folder, 'int8') })).get(
    'layer.0',
  )!
  const integers = await readTensor(values)
  const steps = await readTensor(scales)
  const worst = Math.max(
    ...weights.map((weight, index) => {
      const [output, input] = [Math.floor(index / 130), index % 130]
      return Math.abs(weight - integers[input * 70 + output]! * steps[output]!) / steps[output]!
    }),
  )
  expect(worst).toBeLessThanOrEqual(0.5001)
  expect(worst).toBeGreaterThan(0.4)
})

test('carries a hash of its data, which tells damage', async () => {
  await quantizeWeights({ tensors: await source(), folder: join(folder, 'int8') })
  const [file] = await int8Files()
  const { metadata, tensors } = await readSafetensors(file!)
  const start = Math.min(...[...tensors.values()].map((entry) => entry.offset))
  const bytes = await readFile(file!)
  expect(metadata.sha256).toBe(createHash('sha256').update(bytes.subarray(start)).digest('hex'))
  await verifyDerived(file!)
  bytes[bytes.length - 1]! ^= 1
  await writeFile(file!, bytes)
  await expect(quantizeWeights({ tensors: await source(), folder: join(folder, 'int8') })).resolves.toBeDefined()
  await expect(verifyDerived(file!)).rejects.toMatchObject({
    code: 'hash_mismatch',
    message: expect.stringMatching(/Delete it/),
  })
})

test('is made once: the second time it is read from the cache', async () => {
  const tensors = await source()
  await quantizeWeights({ tensors, folder: join(folder, 'int8') })
  const told: string[] = []
  const again = await quantizeWeights({
    tensors,
    folder: join(folder, 'int8'),
    onProgress: ({ tensor }) => told.push(tensor),
  })
  expect(told).toEqual([])
  expect([...again.keys()]).toEqual(['layer.0', 'layer.1', 'layer.2'])
})

test('another choice of tensors, or another source file, is another edition', async () => {
  const tensors = await source()
  await quantizeWeights({ tensors, folder: join(folder, 'int8') })
  await quantizeWeights({ tensors: tensors.slice(1), folder: join(folder, 'int8') })
  await utimes(tensors[0]!.file, new Date(0), new Date(0))
  await quantizeWeights({ tensors, folder: join(folder, 'int8') })
  expect(await int8Files()).toHaveLength(3)
})

test('goes on where an interrupted run stopped, and ends with the same bytes', async () => {
  const tensors = await source(4)
  const stop = new AbortController()
  const interrupted = quantizeWeights({
    tensors,
    folder: join(folder, 'int8'),
    signal: stop.signal,
    onProgress: ({ tensor }) => tensor === 'layer.2' && stop.abort(new Error('stopped')),
  })
  await expect(interrupted).rejects.toThrow('stopped')
  const [part] = await int8Files()
  expect(part).toMatch(/\.part$/)
  // A kill in the middle of a write leaves half a tensor behind.
  const handle = await open(part!, 'a')
  await handle.write(Buffer.alloc(500, 7))
  await handle.close()

  const told: string[] = []
  await quantizeWeights({ tensors, folder: join(folder, 'int8'), onProgress: ({ tensor }) => told.push(tensor) })
  expect(told[0]).toBe('layer.3')
  const [resumed] = await int8Files()
  await verifyDerived(resumed!)
  const bytes = await readFile(resumed!)
  await rm(resumed!)
  await quantizeWeights({ tensors, folder: join(folder, 'int8') })
  expect((await readFile(resumed!)).equals(bytes)).toBe(true)
})

test('an edition goes when its checkpoint has gone or was replaced, and not before', async () => {
  const tensors = await source()
  await quantizeWeights({ tensors, folder: join(folder, 'int8') })
  const [file] = await int8Files()
  const { size } = await stat(file!)
  expect(await pruneDerived(join(folder, 'int8'))).toBe(0)
  await utimes(tensors[0]!.file, new Date(0), new Date(0))
  expect(await pruneDerived(join(folder, 'int8'))).toBe(size)
  expect(await int8Files()).toEqual([])
  expect(await pruneDerived(join(folder, 'nowhere'))).toBe(0)
})

test('what an interrupted run left is given up after a week', async () => {
  const tensors = await source()
  const signal = AbortSignal.abort(new Error('stopped'))
  await expect(quantizeWeights({ tensors, folder: join(folder, 'int8'), signal })).rejects.toThrow('stopped')
  await writeFile(join(folder, 'int8', 'x.safetensors.part'), 'half')
  expect(await pruneDerived(join(folder, 'int8'))).toBe(0)
  expect(await pruneDerived(join(folder, 'int8'), Date.now() + 8 * 24 * 3600_000)).toBe(4)
})

test('looks at the free space before it writes', async () => {
  const tensors = await source()
  const making = quantizeWeights({ tensors, folder: join(folder, 'int8'), freeBytes: async () => 1000 })
  await expect(making).rejects.toMatchObject({
    code: 'disk_full',
    message: expect.stringMatching(/28\.\d kB are needed and 1\.00 kB are free.*MODEL_CACHE/),
  })
  expect(await int8Files()).toEqual([])
})

test('refuses weights that are no numbers', async () => {
  const file = await writeSafetensors(join(folder, 'nan.safetensors'), { w: float32([1, NaN, 3, 4], [2, 2]) })
  const tensors = [...(await readSafetensors(file)).tensors.values()]
  await expect(quantizeWeights({ tensors, folder: join(folder, 'int8') })).rejects.toMatchObject({
    code: 'not_finite',
    message: expect.stringMatching(/^w in .*nan\.safetensors/),
  })
})

test('two at once make it once', async () => {
  const tensors = await source()
  const told: string[] = []
  const make = () =>
    quantizeWeights({ tensors, folder: join(folder, 'int8'), onProgress: ({ tensor }) => told.push(tensor) })
  const [one, other] = await Promise.all([make(), make()])
  expect([...one.keys()]).toEqual([...other.keys()])
  expect(told).toEqual(['layer.0', 'layer.1', 'layer.2', 'layer.2'])
})

test('streams: 192 MB of weights need nowhere near that in memory', async () => {
  const file = join(folder, 'large.bin')
  const bytesEach = 16 * 1024 * 1024
  const count = 12
  const handle = await open(file, 'w')
  await handle.truncate(bytesEach * count)
  await handle.close()
  const tensors = Array.from({ length: count }, (_, index) => ({
    name: `layer.${index}`,
    file,
    offset: index * bytesEach,
    length: bytesEach,
    dtype: 'F32' as const,
    shape: [2048, 2048],
  }))
  const before = process.memoryUsage().arrayBuffers
  let most = 0
  await quantizeWeights({
    tensors,
    folder: join(folder, 'int8'),
    onProgress: () => {
      most = Math.max(most, process.memoryUsage().arrayBuffers - before)
    },
  })
  expect(most).toBeLessThan(100 * 1024 * 1024)
})
