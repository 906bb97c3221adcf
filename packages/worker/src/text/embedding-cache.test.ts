import { expect, test } from 'vitest'
import { EmbeddingCache } from './embedding-cache.ts'

/** Encodes into 10 floats, 40 bytes, and writes down what it was asked for. */
function recorded(limit: number) {
  const cache = new EmbeddingCache<{ embeddings: { data: Float32Array } }>(limit)
  const encoded: string[] = []
  const get = (text: string) =>
    cache.get(text, async () => {
      encoded.push(text)
      return { embeddings: { data: new Float32Array(10) } }
    })
  return { cache, encoded, get }
}

test('a prompt is encoded once', async () => {
  const { encoded, get } = recorded(100)
  const first = await get('blurry')
  expect(await get('blurry')).toBe(first)
  expect(encoded).toEqual(['blurry'])
})

test('what was not used for longest goes first, once the limit is passed', async () => {
  const { encoded, get } = recorded(100)
  for (const text of ['blurry', 'a train', 'blurry', 'a boat']) await get(text)
  encoded.length = 0
  await get('blurry')
  expect(encoded).toEqual([])
  await get('a train')
  expect(encoded).toEqual(['a train'])
})

test('one that is larger than the limit is given, but not kept', async () => {
  const { encoded, get } = recorded(39)
  await get('a train')
  await get('a train')
  expect(encoded).toEqual(['a train', 'a train'])
})

test('a failure is not remembered', async () => {
  const { cache, get } = recorded(100)
  await expect(cache.get('a train', () => Promise.reject(new Error('out of memory')))).rejects.toThrow('out of memory')
  await expect(get('a train')).resolves.toBeDefined()
})
