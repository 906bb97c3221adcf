/** Stores that are there and say nothing: opening one ends by itself. */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { pino } from 'pino'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { postgres } from './postgres/index.ts'
import { redis } from './redis/index.ts'

const sockets = new Set<Socket>()
let server: Server
let host: string
beforeAll(async () => {
  server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined)
    socket.resume()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`
})
afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => server.close(resolve))
})

it.each([
  ['Redis', (at: string) => redis({ url: `redis://${at}` })],
  ['Postgres', (at: string) => postgres({ url: `postgres://${at}/videos` })],
])('%s that accepts and never answers ends the opening', { timeout: 15_000 }, async (_, driver) => {
  const context = { logger: pino({ level: 'silent' }), retention: { completed: 1, failed: 1 } }
  const opening = driver(host).open(context)
  await expect(opening).rejects.toMatchObject({ name: 'StoreError', code: 'unreachable' })
  await expect.poll(() => sockets.size).toBe(0)
})
