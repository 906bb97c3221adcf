import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { createLeaseClient, type LeaseClient } from './lease-client.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections()
    server.close()
  }
})

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

const calls: readonly ((client: LeaseClient) => Promise<unknown>)[] = [
  (client) => client.claim({ model: 'camera', worker: 'test', wait: 1 }, new AbortController().signal),
  (client) => client.heartbeat('lease', { progress: 1, stage: 'generating' }),
  (client) => client.complete('lease', {}),
  (client) => client.fail('lease', { error: 'out of luck' }),
  (client) => client.release('lease'),
]

test.each([301, 302, 303, 307, 308])('a redirect (%i) is an error, and takes the token to nobody', async (status) => {
  const seen: (string | undefined)[] = []
  const elsewhere = await listen((request, response) => {
    seen.push(request.headers.authorization)
    response.writeHead(204).end()
  })
  const api = await listen((_, response) => response.writeHead(status, { location: `${elsewhere}/leases` }).end())
  const client = createLeaseClient({ apiUrl: api, workerToken: 'token-of-the-workers' })
  for (const call of calls) await expect(call(client)).rejects.toMatchObject({ code: 'unreachable' })
  expect(seen).toEqual([])
})

test('neither the token nor a lease’s id stands in an error', async () => {
  const refusing = await listen((_, response) => response.writeHead(409).end('{"error":"gone","code":"lease_lost"}'))
  const nobody = 'http://127.0.0.1:9'
  for (const apiUrl of [refusing, nobody]) {
    const client = createLeaseClient({ apiUrl, workerToken: 'token-of-the-workers' })
    const error: unknown = await client.complete('lease-of-somebody', {}).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ name: 'LeaseError' })
    expect(String(error) + JSON.stringify(error)).not.toMatch(/token-of-the-workers|lease-of-somebody/)
  }
})

test('a server that never answers is left after the timeout', async () => {
  const silent = await listen(() => undefined)
  const client = createLeaseClient({ apiUrl: silent, workerToken: 'token', timeout: 50 })
  await expect(client.release('lease')).rejects.toMatchObject({ code: 'unreachable', retryable: true })
})
