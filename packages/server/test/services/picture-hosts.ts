/** Strangers' hosts with pictures: any number of names on one web server, each of which answers, drips, or is out of order. */
import { createServer, type ServerResponse } from 'node:http'
import sharp from 'sharp'
import { createGuardedFetch, type GuardedFetch } from '../../src/net/index.ts'

export interface PictureHosts {
  /** Reaches the hosts by their names. */
  readonly fetch: GuardedFetch
  /** A picture on this host. `/drip.jpg` sends a byte now and then and never ends; `/busy.jpg` is 503, `/missing.jpg` 404, `/page.html` no picture. */
  url(host: string, path?: string): string
  /** How many requests to a path are being answered. */
  open(path: string): number
  /** How many have come. */
  asked(path: string): number
  dispose(): Promise<void>
}

const DRIP_EVERY = 20

export async function createPictureHosts(): Promise<PictureHosts> {
  const picture = await sharp({ create: { width: 64, height: 36, channels: 3, background: '#396' } })
    .jpeg()
    .toBuffer()
  const dripping = new Set<ServerResponse>()
  const open = new Map<string, number>()
  const asked = new Map<string, number>()
  const count = (counts: Map<string, number>, path: string, by: number) =>
    counts.set(path, (counts.get(path) ?? 0) + by)

  const server = createServer((request, response) => {
    const path = request.url ?? '/'
    count(asked, path, 1)
    count(open, path, 1)
    response.once('close', () => {
      count(open, path, -1)
      dripping.delete(response)
    })
    switch (path) {
      case '/picture.jpg':
        return void response.writeHead(200, { 'content-type': 'image/jpeg' }).end(picture)
      case '/page.html':
        return void response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><p>no picture')
      case '/busy.jpg':
        return void response.writeHead(503).end()
      case '/drip.jpg':
        response.writeHead(200, { 'content-type': 'image/jpeg' }).write(picture.subarray(0, 2))
        return void dripping.add(response)
      default:
        return void response.writeHead(404).end()
    }
  })
  const drip = setInterval(() => {
    for (const response of dripping) response.write(picture.subarray(2, 3))
  }, DRIP_EVERY)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined
  const fetch = createGuardedFetch({
    allowNetworks: ['loopback'],
    resolve: async () => [{ address: '127.0.0.1', family: 4 }],
  })

  return {
    fetch,
    url: (host, path = '/picture.jpg') => `http://${host}:${port}${path}`,
    open: (path) => open.get(path) ?? 0,
    asked: (path) => asked.get(path) ?? 0,
    async dispose() {
      clearInterval(drip)
      await fetch.close()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
