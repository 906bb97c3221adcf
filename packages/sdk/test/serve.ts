/** Real sockets for tests: a Node HTTP server in front of a fetch handler, and a TCP proxy that cuts connections. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { getResponse } from 'msw'
import { mockKinora, type MockKinora, type MockKinoraOptions } from '../src/testing/index.ts'

export interface Served {
  readonly url: string
  close(): Promise<void>
}

/** Listens on a free port. */
export async function serve(listener: RequestListener): Promise<Served> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The mock's handlers behind a real port: retries, cuts and aborts then meet real connections. */
export async function serveMock(options: MockKinoraOptions = {}): Promise<Served & { mock: MockKinora }> {
  let mock: MockKinora | undefined
  const served = await serve((request, response) => {
    if (mock) void answer(mock, served.url, request, response)
  })
  mock = mockKinora({ ...options, baseUrl: served.url })
  return { ...served, mock }
}

async function answer(
  mock: MockKinora,
  url: string,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const { method = 'GET', headers } = incoming
  const chunks: Buffer[] = []
  for await (const chunk of incoming) chunks.push(chunk as Buffer)
  const body = chunks.length > 0 ? new Uint8Array(Buffer.concat(chunks)) : undefined
  const request = new Request(url + incoming.url, {
    method,
    headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
      typeof value === 'string' ? [[name, value]] : [],
    ),
    ...(body ? { body } : {}),
  })
  const response = await getResponse(mock.handlers, request)
  if (!response || response.type === 'error') return void outgoing.destroy()
  outgoing.writeHead(response.status, Object.fromEntries(response.headers))
  outgoing.flushHeaders()
  const reader = response.body?.getReader()
  outgoing.on('close', () => void reader?.cancel().catch(() => {}))
  try {
    for (;;) {
      const part = await reader?.read()
      if (!part || part.done) return void outgoing.end()
      outgoing.write(part.value)
    }
  } catch {
    outgoing.destroy()
  }
}

export interface CutProxy extends Served {
  /** Resets every open connection. */
  cut(): void
  /** Cuts each connection after so many bytes from the server; Infinity for none. */
  cutAfter: number
  /** While true new connections are refused. */
  down: boolean
  readonly connections: number
}

/** A TCP proxy before a server, with faults. */
export async function cutProxy(target: string): Promise<CutProxy> {
  const sockets = new Set<Socket>()
  let connections = 0
  const { hostname, port } = new URL(target)
  const server = createTcpServer((client) => {
    if (proxy.down) {
      client.resetAndDestroy()
      return
    }
    connections++
    const upstream = connect(Number(port), hostname)
    let passed = 0
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (data) => upstream.write(data))
    upstream.on('data', (data) => {
      passed += data.length
      if (passed > proxy.cutAfter) {
        client.write(data.subarray(0, Math.max(0, data.length - (passed - proxy.cutAfter))))
        client.resetAndDestroy()
      } else client.write(data)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  const proxy = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutAfter: Infinity,
    down: false,
    get connections() {
      return connections
    },
    cut,
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
  return proxy
}
