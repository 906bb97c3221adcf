/** A bucket that is there and says nothing: every call ends by itself. */
import { createServer, type Server, type Socket } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Storage } from '../storage.ts'
import { createS3Storage } from './s3-storage.ts'

let sockets: Set<Socket>
let says: string
let server: Server
let storage: Storage
beforeEach(async () => {
  sockets = new Set()
  says = ''
  server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined)
    socket.once('data', () => void (says && socket.write(says)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  storage = createS3Storage({
    bucket: 'videos',
    endpoint: `http://127.0.0.1:${port}`,
    accessKeyId: 'key',
    secretAccessKey: 'secret',
    timeout: 20,
  })
})
afterEach(async () => {
  await storage.close()
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
})

const away = { code: 'unavailable', retryable: true, message: 'The bucket "videos" did not answer in time.' }
const text = { contentType: 'text/plain' }

async function* pieces(): AsyncGenerator<Uint8Array> {
  for (let piece = 0; piece < 3; piece++) yield new Uint8Array(1000)
}

/** What is asked of the bucket while it is silent. */
const calls: Record<string, (bucket: Storage) => Promise<unknown>> = {
  head: (bucket) => bucket.head('a'),
  get: (bucket) => bucket.get('a'),
  'put bytes': (bucket) => bucket.put('a', new Uint8Array(1000), text),
  'put a stream': (bucket) => bucket.put('a', ReadableStream.from(pieces()), text),
  delete: (bucket) => bucket.delete('a'),
  copy: (bucket) => bucket.copy('a', 'b'),
  link: (bucket) => bucket.link('a', 'b', { ...text, etag: '"1"' }),
  promote: (bucket) => bucket.promote('a', 'b'),
  list: async (bucket) => {
    for await (const object of bucket.list('a/')) return object
  },
  check: (bucket) => bucket.check(),
}

describe('a server that accepts and never answers', () => {
  it.each(Object.keys(calls))('ends %s', async (name) => {
    await expect(calls[name]!(storage)).rejects.toMatchObject(away)
    await expect.poll(() => sockets.size).toBe(0)
  })

  it('ends the reading of an object that stops in the middle', async () => {
    says = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\ncontent-type: text/plain\r\n\r\nbegins'
    const object = await storage.get('a')
    await expect(new Response(object?.body).arrayBuffer()).rejects.toThrow(/timed out/)
  })

  it('ends a call whose answer stops in the middle', async () => {
    says = 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\ncontent-type: application/xml\r\n\r\n<?xml version="1.0"?>'
    await expect(calls['list']!(storage)).rejects.toMatchObject({ code: 'unavailable' })
  })
})
