import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request, type Server } from 'node:http'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NEEDED, REPOSITORY } from '../../../test/fixtures/hub/repository.ts'
import { startHub, type StandIn } from '../../../test/fixtures/hub/stand-in.ts'
import { hubOptionsFromEnvironment, pullModel } from './index.ts'

const ID = 'Lightricks/LTX-Video'

/** A proxy that forwards requests and opens tunnels, and knows who asked it for what. */
interface Proxy {
  readonly url: string
  readonly asked: string[]
  readonly authorizations: (string | undefined)[]
  /** What it answers to all who ask for a tunnel, if it is not to open one. */
  refusal: string | undefined
  close(): Promise<void>
}

async function startProxy(): Promise<Proxy> {
  const sockets = new Set<Socket>()
  const server: Server = createServer((incoming, response) => {
    proxy.asked.push(`${incoming.method} ${incoming.url}`)
    const onward = request(incoming.url ?? '', { headers: incoming.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    onward.end()
  })
  server.on('connect', (incoming, socket: Socket) => {
    proxy.asked.push(`CONNECT ${incoming.url}`)
    proxy.authorizations.push(incoming.headers['proxy-authorization'])
    sockets.add(socket)
    if (proxy.refusal !== undefined) return socket.end(`HTTP/1.1 ${proxy.refusal}\r\n\r\n`)
    const { hostname, port } = new URL(`http://${incoming.url}`)
    const onward = connect(Number(port || 80), hostname, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      onward.pipe(socket)
      socket.pipe(onward)
    })
    sockets.add(onward)
    for (const end of [socket, onward]) end.on('error', () => [socket, onward].forEach((one) => one.destroy()))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const proxy: Proxy = {
    url: `http://127.0.0.1:${port}`,
    asked: [],
    authorizations: [],
    refusal: undefined,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
  return proxy
}

let cacheDir: string
let hub: StandIn
let proxy: Proxy
beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), 'kinora-proxy-'))
  hub = await startHub(ID, REPOSITORY)
  proxy = await startProxy()
})
afterEach(async () => {
  await proxy.close()
  await hub.close()
  await rm(cacheDir, { recursive: true })
})

const pull = (env: Record<string, string>) =>
  pullModel({
    ...hubOptionsFromEnvironment({ HF_ENDPOINT: hub.endpoint, MODEL_CACHE: cacheDir, HF_HOME: cacheDir, ...env }),
    id: ID,
    retries: 0,
  })

describe.each(['HTTP_PROXY', 'http_proxy'])('with %s', (variable) => {
  test('everything comes through the proxy: the listing, small files, and large ones from where they are redirected', async () => {
    const pulled = await pull({ [variable]: proxy.url })
    expect(pulled.bytesDownloaded).toBe(pulled.bytesTotal)
    expect(hub.downloads().toSorted()).toEqual(Object.keys(NEEDED).toSorted())
    const hosts = new Set(hub.requests.map(({ host }) => host))
    expect(hosts).toEqual(new Set(['hub', 'cdn']))
    const reached = new Set(proxy.asked.map((line) => /127\.0\.0\.1:\d+/.exec(line)?.[0]))
    expect(reached).toContain(new URL(hub.endpoint).host)
    expect(reached.size).toBe(2)
  })
})

test('hosts of NO_PROXY are reached directly', async () => {
  const pulled = await pull({ HTTP_PROXY: 'http://127.0.0.1:9', NO_PROXY: 'example.com,127.0.0.1' })
  expect(pulled.bytesDownloaded).toBe(pulled.bytesTotal)
  await expect(
    pull({ HTTP_PROXY: 'http://127.0.0.1:9', NO_PROXY: 'example.com', MODEL_CACHE: join(cacheDir, 'other') }),
  ).rejects.toMatchObject({ code: 'offline', message: expect.stringMatching(/HTTPS_PROXY/) })
})

test('https goes through a tunnel, with the name and password that stand in the address', async () => {
  proxy.refusal = '403 Forbidden'
  const address = proxy.url.replace('//', '//me:secret@')
  const refused = pull({ HTTPS_PROXY: address, HF_ENDPOINT: 'https://hub.test' })
  await expect(refused).rejects.toMatchObject({ code: 'offline' })
  expect(proxy.asked).toEqual(['CONNECT hub.test:443'])
  expect(proxy.authorizations).toEqual([`Basic ${Buffer.from('me:secret').toString('base64')}`])
  const message = await refused.catch((error: Error) => error.message)
  expect(message).not.toContain('secret')
})

test('an address that is none is refused by the variable\u2019s name, without repeating it', async () => {
  const refused = pull({ HTTP_PROXY: 'ftp://me:secret@proxy' })
  await expect(refused).rejects.toMatchObject({
    code: 'bad_proxy',
    message: expect.stringMatching(/^HTTP_PROXY is no address of an HTTP proxy\. Write http:\/\/host:port\.$/),
  })
})

test('without these variables nothing changes', () => {
  expect(hubOptionsFromEnvironment({ NO_PROXY: '*', HTTP_PROXY: ' ' })).not.toHaveProperty('fetch')
})
