import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { float32, safetensorsBytes, withHeader, writeSafetensors } from '../../test/fixtures/hub/write-safetensors.ts'
import { openWeights, readSafetensors, readTensor, tensorNamed } from './index.ts'

let folder: string
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'kinora-weights-')))
})
afterAll(() => rm(folder, { recursive: true }))

test('says where each tensor lies, counted from the beginning of the file', async () => {
  const file = await writeSafetensors(
    join(folder, 'two.safetensors'),
    { a: float32([1, 2]), b: float32([3, 4, 5, 6], [2, 2]) },
    { config: '{}' },
  )
  const { tensors, metadata, files } = await readSafetensors(file)
  const start = tensors.get('a')?.offset ?? 0
  expect([...tensors.values()]).toEqual([
    { name: 'a', file, offset: start, length: 8, dtype: 'F32', shape: [2] },
    { name: 'b', file, offset: start + 8, length: 16, dtype: 'F32', shape: [2, 2] },
  ])
  expect(metadata).toEqual({ config: '{}' })
  expect(files).toEqual([file])
})

test('reads fp32, bf16, fp16 and integers as float32', async () => {
  const halves = (values: number[]): Uint8Array => new Uint8Array(Uint16Array.from(values).buffer)
  const file = await writeSafetensors(join(folder, 'kinds.safetensors'), {
    odd: { dtype: 'U8', shape: [1], bytes: Uint8Array.of(7) },
    single: float32([1.5, -2]),
    brain: { dtype: 'BF16', shape: [3], bytes: halves([0x3f80, 0xc049, 0x7f80]) },
    half: { dtype: 'F16', shape: [5], bytes: halves([0x3c00, 0xc248, 0x0001, 0x7c00, 0x8000]) },
    whole: { dtype: 'I64', shape: [2], bytes: new Uint8Array(BigInt64Array.from([-3n, 42n]).buffer) },
    scalar: { dtype: 'F64', shape: [], bytes: new Uint8Array(Float64Array.of(0.5).buffer) },
  })
  const weights = await readSafetensors(file)
  const values = async (name: string): Promise<number[]> => [...(await readTensor(tensorNamed(weights, name)))]
  expect(await values('odd')).toEqual([7])
  expect(await values('single')).toEqual([1.5, -2])
  expect(await values('brain')).toEqual([1, -3.140625, Infinity])
  expect(await values('half')).toEqual([1, -3.140625, 2 ** -24, Infinity, -0])
  expect(await values('whole')).toEqual([-3, 42])
  expect(await values('scalar')).toEqual([0.5])
})

test('follows symbolic links to the real file, which is what ONNX Runtime wants to hear', async () => {
  const file = await writeSafetensors(join(folder, 'blob'), { a: float32([1]) })
  await symlink(file, join(folder, 'link.safetensors'))
  expect((await readSafetensors(join(folder, 'link.safetensors'))).tensors.get('a')?.file).toBe(file)
})

test('a format that nobody here knows counts only once its tensor is read', async () => {
  const file = await writeSafetensors(join(folder, 'formats.safetensors'), {
    blocks: { dtype: 'Q4', shape: [32], bytes: new Uint8Array(18) },
    exponents: { dtype: 'F8_E8M0', shape: [3], bytes: new Uint8Array(3) },
    complex: { dtype: 'C64', shape: [1], bytes: new Uint8Array(8) },
    a: float32([1, 2]),
  })
  const weights = await readSafetensors(file)
  expect([...(await readTensor(tensorNamed(weights, 'a')))]).toEqual([1, 2])
  for (const [name, dtype] of Object.entries({ blocks: 'Q4', exponents: 'F8_E8M0', complex: 'C64' }))
    await expect(readTensor(tensorNamed(weights, name))).rejects.toMatchObject({
      code: 'unknown_dtype',
      message: expect.stringMatching(new RegExp(`${name} in .* is ${dtype}, which Kinora cannot compute with. Use`)),
    })
})

const one = float32([1, 2])
test.each([
  [
    'cut within the data',
    safetensorsBytes({ a: float32([1, 2, 3]) }).subarray(0, -4),
    'file_truncated',
    /is cut short: it has \d+ bytes/,
  ],
  ['cut within the header', safetensorsBytes({ a: one }).subarray(0, 20), 'file_truncated', /is cut short/],
  ['empty', new Uint8Array(), 'file_truncated', /has 0 bytes/],
  ['an error page', Buffer.from('<!DOCTYPE html><html></html>'), 'not_safetensors', /begins with "<!DOCTYP"/],
  [
    'a Git LFS pointer',
    Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\n'),
    'not_safetensors',
    /git lfs pull/,
  ],
  ['without JSON', withHeader('{"a": '), 'bad_header', /not valid JSON/],
  ['a list', withHeader('[1]'), 'bad_header', /is not an object/],
  [
    'with a format that is no name',
    withHeader('{"a":{"dtype":4,"shape":[1],"data_offsets":[0,0]}}'),
    'bad_header',
    /gives a no number format/,
  ],
  [
    'with a wrong shape',
    safetensorsBytes({ a: { ...one, shape: [3] } }),
    'bad_offsets',
    /takes 8 bytes, but F32 \[3\] needs 12/,
  ],
  [
    'with a negative shape',
    safetensorsBytes({ a: { ...one, shape: [-2] } }),
    'bad_header',
    /not a list of whole numbers/,
  ],
  ['overlapping', safetensorsBytes({ a: one, b: { ...one, data_offsets: [4, 12] } }), 'bad_offsets', /b overlaps a/],
  [
    'with a hole',
    safetensorsBytes({ a: one, b: one, c: { ...one, shape: [0], bytes: one.bytes, data_offsets: [16, 16] } }),
    'bad_offsets',
    /8 bytes after/,
  ],
  ['out of range', safetensorsBytes({ a: { ...one, data_offsets: [8, 16] } }), 'file_truncated', /is cut short/],
  [
    'with metadata of another kind',
    safetensorsBytes({ a: one }, { config: 1 }),
    'bad_header',
    /not a string \(config\)/,
  ],
])('refuses a file that is %s, by name and with a remedy', async (kind, bytes, code, message) => {
  const file = join(folder, `${kind.replaceAll(' ', '-')}.safetensors`)
  await writeFile(file, bytes)
  await expect(readSafetensors(file)).rejects.toMatchObject({
    name: 'WeightsError',
    code,
    file,
    message: expect.stringMatching(message),
  })
})

async function shards(name: string, map: Record<string, string>): Promise<string> {
  const home = join(folder, name)
  await mkdir(home)
  await writeSafetensors(join(home, 'model-00001-of-00002.safetensors'), { a: float32([1]), unused: float32([9]) })
  await writeSafetensors(join(home, 'model-00002-of-00002.safetensors'), { b: float32([2]) })
  await writeFile(join(home, 'model.safetensors.index.json'), JSON.stringify({ weight_map: map }))
  return home
}

test('opens a sharded checkpoint by its folder', async () => {
  const home = await shards('sharded', { a: 'model-00001-of-00002.safetensors', b: 'model-00002-of-00002.safetensors' })
  const weights = await openWeights(home)
  expect([...weights.tensors.keys()]).toEqual(['a', 'b'])
  expect(await readTensor(tensorNamed(weights, 'b'))).toEqual(Float32Array.of(2))
  expect(weights.files).toHaveLength(2)
})

test.each([
  [
    'a shard that is missing',
    { a: 'model-00003-of-00002.safetensors' },
    'file_missing',
    /names the shard .*kinora models pull/,
  ],
  [
    'a tensor that its shard has not',
    { c: 'model-00002-of-00002.safetensors' },
    'bad_index',
    /says that c is in model-00002/,
  ],
  ['a file outside its folder', { a: '../blob' }, 'bad_index', /not a file beside it/],
])('refuses an index with %s', async (name, map, code, message) => {
  const home = await shards(name.replaceAll(' ', '-'), map)
  await expect(openWeights(home)).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
})

test('takes the standard name before a variant, and asks when nothing says which is meant', async () => {
  const home = join(folder, 'variants')
  await mkdir(home)
  await writeSafetensors(join(home, 'x.safetensors'), { a: float32([1]) })
  await writeSafetensors(join(home, 'y.safetensors'), { a: float32([2]) })
  await expect(openWeights(home)).rejects.toMatchObject({
    code: 'ambiguous',
    message: expect.stringMatching(/x\.safetensors, y\.safetensors/),
  })
  await writeSafetensors(join(home, 'model.safetensors'), { a: float32([3]) })
  expect(await readTensor(tensorNamed(await openWeights(home), 'a'))).toEqual(Float32Array.of(3))
})

test('says what to do about a path with nothing there, and about a tensor that is not', async () => {
  await expect(openWeights(join(folder, 'nowhere'))).rejects.toMatchObject({
    code: 'file_missing',
    message: expect.stringMatching(/models pull/),
  })
  await mkdir(join(folder, 'empty-folder'))
  await expect(openWeights(join(folder, 'empty-folder'))).rejects.toMatchObject({ code: 'file_missing' })
  const weights = await openWeights(await writeSafetensors(join(folder, 'one.safetensors'), { a: float32([1]) }))
  expect(() => tensorNamed(weights, 'b')).toThrow(/has no tensor b .*checkpoint of another kind/)
})
