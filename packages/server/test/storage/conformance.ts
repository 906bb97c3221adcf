/** What every storage driver must do. A driver's test calls this with a way to open it; presigned URLs are used over real HTTP. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Storage } from '../../src/storage/storage.ts'

export interface OpenStorage {
  readonly storage: Storage
  /** Moves the clock by which signed URLs expire. */
  readonly advance: (seconds: number) => void
  readonly close: () => Promise<void>
}

const JPEG = { contentType: 'image/jpeg' }
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

async function text(body: ReadableStream<Uint8Array>): Promise<string> {
  return new Response(body).text()
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

export function storageConformance(name: string, open: () => Promise<OpenStorage>): void {
  describe(`storage on ${name}`, () => {
    let opened: OpenStorage
    let storage: Storage
    beforeAll(async () => {
      opened = await open()
      storage = opened.storage
    })
    afterAll(() => opened?.close())

    it('keeps bytes, their type and their size', async () => {
      const put = await storage.put('a/picture.jpg', bytes('hello'), JPEG)
      expect(put).toMatchObject({ key: 'a/picture.jpg', size: 5, contentType: 'image/jpeg' })
      const got = await storage.get('a/picture.jpg')
      expect(got && (await text(got.body))).toBe('hello')
      expect(await storage.head('a/picture.jpg')).toMatchObject({ size: 5, contentType: 'image/jpeg', etag: put.etag })
    })

    it('keeps a type that the key does not suggest', async () => {
      await storage.put('a/picture.jpg', bytes('png'), { contentType: 'image/png' })
      expect((await storage.head('a/picture.jpg'))?.contentType).toBe('image/png')
      await storage.put('a/picture.jpg', bytes('jpeg'), JPEG)
      expect((await storage.head('a/picture.jpg'))?.contentType).toBe('image/jpeg')
    })

    it('replaces an object, and its etag changes', async () => {
      const first = await storage.put('a/replaced', bytes('one'), JPEG)
      const second = await storage.put('a/replaced', bytes('two'), JPEG)
      expect(second.etag).not.toBe(first.etag)
      expect(await text((await storage.get('a/replaced'))!.body)).toBe('two')
    })

    it('takes a stream larger than one part of an upload', async () => {
      const chunk = randomBytes(1024 * 1024)
      let left = 20
      const stream = new ReadableStream<Uint8Array>({
        pull: (controller) => (left-- > 0 ? controller.enqueue(chunk) : controller.close()),
      })
      expect((await storage.put('a/large', stream, JPEG)).size).toBe(20 * chunk.byteLength)
      const back = new Uint8Array(await new Response((await storage.get('a/large'))!.body).arrayBuffer())
      expect(Buffer.compare(back.subarray(-chunk.byteLength), chunk)).toBe(0)
    })

    it('takes an empty object', async () => {
      expect((await storage.put('a/empty', new Uint8Array(), JPEG)).size).toBe(0)
      expect(await text((await storage.get('a/empty'))!.body)).toBe('')
    })

    it('refuses a body over the limit and keeps nothing of it', async () => {
      await expect(storage.put('a/limited', bytes('123456'), { ...JPEG, maxBytes: 5 })).rejects.toMatchObject({
        code: 'too_large',
      })
      const stream = new Blob(['123', '456']).stream()
      await expect(storage.put('a/limited', stream, { ...JPEG, maxBytes: 5 })).rejects.toMatchObject({
        code: 'too_large',
      })
      expect(await storage.head('a/limited')).toBeNull()
    })

    it('keeps the old object when a new body breaks off', async () => {
      await storage.put('a/broken', bytes('whole'), JPEG)
      const stream = new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(bytes('par')),
        pull: (controller) => controller.error(new Error('gone')),
      })
      await expect(storage.put('a/broken', stream, JPEG)).rejects.toThrow()
      expect(await text((await storage.get('a/broken'))!.body)).toBe('whole')
    })

    it('answers null for what is not there, and deletes it without a word', async () => {
      expect(await storage.get('nothing/here')).toBeNull()
      expect(await storage.head('nothing/here')).toBeNull()
      await storage.delete('nothing/here')
      await storage.put('b/gone', bytes('x'), JPEG)
      await storage.delete('b/gone')
      expect(await storage.head('b/gone')).toBeNull()
    })

    it('copies, and promotes from one key to another', async () => {
      await storage.put('c/source', bytes('video'), { contentType: 'video/mp4' })
      expect(await storage.copy('c/source', 'c/copy')).toMatchObject({ size: 5, contentType: 'video/mp4' })
      await storage.put('c/final', bytes('older video'), JPEG)
      expect(await storage.promote('c/source', 'c/final')).toMatchObject({ size: 5, contentType: 'video/mp4' })
      expect(await storage.head('c/source')).toBeNull()
      expect(await text((await storage.get('c/final'))!.body)).toBe('video')
      await expect(storage.promote('c/source', 'c/final')).rejects.toMatchObject({ code: 'not_found' })
      await expect(storage.copy('c/source', 'c/final')).rejects.toMatchObject({ code: 'not_found' })
      expect(await text((await storage.get('c/final'))!.body)).toBe('video')
    })

    it('links an object to a second key, and neither feels what happens to the other', async () => {
      const { etag } = await storage.put('h/source', bytes('picture'), { contentType: 'image/png' })
      const linked = await storage.link('h/source', 'h/link.jpg', { ...JPEG, etag })
      expect(linked).toMatchObject({ key: 'h/link.jpg', size: 7, contentType: 'image/jpeg' })
      await storage.put('h/source', bytes('another'), JPEG)
      expect(await text((await storage.get('h/link.jpg'))!.body)).toBe('picture')
      await storage.delete('h/source')
      expect(await text((await storage.get('h/link.jpg'))!.body)).toBe('picture')
      await expect(storage.link('h/source', 'h/other', { ...JPEG, etag })).rejects.toMatchObject({ code: 'not_found' })
    })

    it('does not link bytes that are others than those that were looked at', async () => {
      const { etag } = await storage.put('h/changed', bytes('looked at'), JPEG)
      await storage.put('h/changed', bytes('put since'), JPEG)
      await expect(storage.link('h/changed', 'h/unseen', { ...JPEG, etag })).rejects.toMatchObject({
        code: 'not_found',
      })
      expect(await storage.head('h/unseen')).toBeNull()
    })

    it('never shows a reader half of a promoted object', async () => {
      const sizes = new Set<number>()
      for (let round = 0; round < 10; round++) {
        const length = round % 2 ? 300_000 : 100_000
        await storage.put('d/from', new Uint8Array(length).fill(round), JPEG)
        const read = async (): Promise<void> => {
          const found = await storage.get('d/to')
          if (found) sizes.add((await new Response(found.body).arrayBuffer()).byteLength)
        }
        await Promise.all([read(), storage.promote('d/from', 'd/to')])
      }
      expect([...sizes].filter((size) => size !== 100_000 && size !== 300_000)).toEqual([])
    })

    it('lists by prefix', async () => {
      for (const key of ['list/one/1', 'list/one/2', 'list/two/3', 'listless']) await storage.put(key, bytes(key), JPEG)
      const keys = async (prefix: string) =>
        (await collect(storage.list(prefix))).map(({ key }) => key).toSorted((a, b) => a.localeCompare(b))
      expect(await keys('list/one/')).toEqual(['list/one/1', 'list/one/2'])
      expect(await keys('list/')).toEqual(['list/one/1', 'list/one/2', 'list/two/3'])
      expect(await keys('nowhere/')).toEqual([])
      const [first] = await collect(storage.list('list/one/'))
      expect(first!.size).toBe(10)
      expect(Math.abs(Date.now() - first!.lastModified.getTime())).toBeLessThan(60_000)
    })

    it.each([
      '',
      '/',
      '../x',
      'a/../../x',
      'a//b',
      '/etc/passwd',
      'a/./b',
      '.hidden',
      'a\\b',
      'a\0b',
      'a/b/',
      'ä',
      'a%2e',
      'x.',
    ])('refuses the key %j', async (key) => {
      const calls = [
        () => storage.put(key, bytes('x'), JPEG),
        () => storage.get(key),
        () => storage.head(key),
        () => storage.delete(key),
        () => storage.copy('a/picture.jpg', key),
        () => storage.promote(key, 'a/b'),
        () => storage.presignGet(key, { expiresIn: 60 }),
        () => storage.presignPut(key, { ...JPEG, maxBytes: 1, expiresIn: 60 }),
      ]
      for (const call of calls) {
        await expect((async () => call())()).rejects.toMatchObject({ code: 'invalid_key' })
      }
    })

    it('takes a PUT by presigned URL, with exactly the type and length it was signed for', async () => {
      const { url, headers } = await storage.presignPut('e/put.jpg', {
        ...JPEG,
        maxBytes: 100,
        contentLength: 5,
        expiresIn: 60,
      })
      const put = (body: string, init: RequestInit = {}) => fetch(url, { method: 'PUT', headers, body, ...init })

      expect((await put('12345', { headers: { 'content-type': 'text/html' } })).ok).toBe(false)
      expect((await put('123456')).ok).toBe(false)
      expect((await put('1234')).ok).toBe(false)
      expect(await storage.head('e/put.jpg')).toBeNull()

      const done = await put('12345')
      expect(done.status).toBe(200)
      expect(await storage.head('e/put.jpg')).toMatchObject({ size: 5, contentType: 'image/jpeg' })
      expect((await put('54321')).status).toBe(200)
      expect(await text((await storage.get('e/put.jpg'))!.body)).toBe('54321')
    })

    it('answers GET by presigned URL, whole and in ranges', async () => {
      await storage.put('e/get.mp4', bytes('0123456789'), { contentType: 'video/mp4' })
      const url = await storage.presignGet('e/get.mp4', { expiresIn: 60 })
      const whole = await fetch(url)
      expect(whole.status).toBe(200)
      expect(whole.headers.get('content-type')).toBe('video/mp4')
      expect(whole.headers.get('content-length')).toBe('10')
      expect(whole.headers.get('etag')).toBe((await storage.head('e/get.mp4'))!.etag)
      expect(await whole.text()).toBe('0123456789')

      const part = await fetch(url, { headers: { range: 'bytes=2-4' } })
      expect([part.status, await part.text()]).toEqual([206, '234'])
      expect(part.headers.get('content-range')).toBe('bytes 2-4/10')
      const rest = await fetch(url, { headers: { range: 'bytes=7-' } })
      expect([rest.status, await rest.text()]).toEqual([206, '789'])
      const beyond = await fetch(url, { headers: { range: 'bytes=10-' } })
      expect(beyond.status).toBe(416)
      const gone = await fetch(await storage.presignGet('e/nothing', { expiresIn: 60 }))
      expect(gone.status).toBe(404)
    })

    it('names a download', async () => {
      await storage.put('e/named.mp4', bytes('x'), { contentType: 'video/mp4' })
      const answer = await fetch(await storage.presignGet('e/named.mp4', { expiresIn: 60, downloadName: 'Käse 1.mp4' }))
      expect(answer.headers.get('content-disposition')).toBe("attachment; filename*=UTF-8''K%C3%A4se%201.mp4")
      await answer.text()
    })

    it('refuses a URL that was changed', async () => {
      await storage.put('f/secret', bytes('secret'), JPEG)
      await storage.put('f/other', bytes('other'), JPEG)
      const get = await storage.presignGet('f/other', { expiresIn: 60 })
      const put = await storage.presignPut('f/other', { ...JPEG, maxBytes: 5, expiresIn: 60 })
      const attempts = [
        fetch(get.replace('f/other', 'f/secret')),
        fetch(get, { method: 'PUT', headers: put.headers, body: 'x' }),
        fetch(get, { method: 'DELETE' }),
        fetch(put.url),
        fetch(put.url.replace('f/other', 'f/secret'), { method: 'PUT', headers: put.headers, body: 'x' }),
        ...[...new URL(put.url).searchParams].map(([name, value]) => {
          const changed = new URL(put.url)
          changed.searchParams.set(name, /^\d+$/.test(value) ? String(Number(value) + 1) : `${value}A`)
          return fetch(changed, { method: 'PUT', headers: put.headers, body: 'x' })
        }),
        fetch(new URL(new URL(get).pathname, get)),
      ]
      for (const attempt of attempts) expect((await attempt).ok).toBe(false)
      expect(await text((await storage.get('f/secret'))!.body)).toBe('secret')
      expect(await text((await storage.get('f/other'))!.body)).toBe('other')
    })

    it('refuses URLs that live too long', async () => {
      await expect(storage.presignGet('g/x', { expiresIn: 8 * 24 * 3600 })).rejects.toMatchObject({
        code: 'invalid_option',
      })
      await expect(storage.presignPut('g/x', { ...JPEG, maxBytes: 1, expiresIn: 0 })).rejects.toMatchObject({
        code: 'invalid_option',
      })
    })

    it('says that it works', async () => {
      await expect(storage.check()).resolves.toBeUndefined()
    })

    it('refuses a URL that has expired', async () => {
      await storage.put('g/expired', bytes('x'), JPEG)
      const get = await storage.presignGet('g/expired', { expiresIn: 60 })
      const put = await storage.presignPut('g/expired', { ...JPEG, maxBytes: 5, expiresIn: 60 })
      opened.advance(61)
      expect((await fetch(get)).status).toBe(403)
      expect((await fetch(put.url, { method: 'PUT', headers: put.headers, body: 'y' })).status).toBe(403)
      expect(await text((await storage.get('g/expired'))!.body)).toBe('x')
    })
  })
}
