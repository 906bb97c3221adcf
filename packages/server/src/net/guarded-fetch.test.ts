import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createGuardedFetch, type GuardedFetch, type GuardedFetchOptions } from './guarded-fetch.ts'
import type { Resolve } from './guarded-lookup.ts'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

let handler: Handler = (_, response) => response.end('hello')
let connections = 0
const server = createServer((request, response) => handler(request, response)).on('connection', () => connections++)
let port = 0
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  port = (server.address() as AddressInfo).port
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})

const opened: GuardedFetch[] = []
function open(options: GuardedFetchOptions = {}): GuardedFetch {
  const guarded = createGuardedFetch(options)
  opened.push(guarded)
  return guarded
}
afterEach(() => Promise.all(opened.splice(0).map((one) => one.close())))

/** A resolver that answers from a list; each call takes the next answer, as a rebinding name server would. */
function resolver(...answers: string[][]): Resolve {
  let call = 0
  return vi.fn<Resolve>(async () =>
    answers[Math.min(call++, answers.length - 1)]!.map((address) => ({
      address,
      family: address.includes(':') ? 6 : 4,
    })),
  )
}

const toServer = (path = '/'): string => `http://127.0.0.1:${port}${path}`
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

describe('addresses', () => {
  it.each([
    'http://127.0.0.1',
    'http://127.1',
    'http://0x7f.0.0.1',
    'http://0x7f000001',
    'http://2130706433',
    'http://0177.0.0.1',
    'http://[::1]',
    'http://[::ffff:127.0.0.1]',
    'http://[::ffff:7f00:1]',
    'http://[64:ff9b::127.0.0.1]',
    'http://[2002:7f00:1::]',
    'http://0',
    'http://0.0.0.0',
    'http://[::]',
    'http://127。0。0。1',
    'http://169.254.169.254/latest',
    'http://10.0.0.1',
    'http://192.168.0.1',
    'http://100.64.0.1',
  ])('%s is refused before anything is connected', async (url) => {
    const before = connections
    const address = new URL(url)
    address.port = String(port)
    await expect(open()(address.href)).rejects.toMatchObject({ code: 'forbidden_address', retryable: false })
    expect(connections).toBe(before)
  })

  it('refuses a name that leads inside, and one of whose addresses does', async () => {
    for (const addresses of [['127.0.0.1'], ['93.184.216.34', '10.0.0.1'], ['::ffff:127.0.0.1']]) {
      const before = connections
      await expect(open({ resolve: resolver(addresses) })(`http://evil.test:${port}/`)).rejects.toMatchObject({
        code: 'forbidden_address',
      })
      expect(connections).toBe(before)
    }
  })

  it('connects to the very address that was checked, so a name cannot change its mind', async () => {
    // The first answer is harmless, the second is not: whoever asks twice is caught. Here a public address stands for this machine.
    const resolve = resolver(['127.0.0.1'], ['10.0.0.1'])
    const guarded = open({ resolve, allowNetworks: ['127.0.0.1'] })
    expect((await guarded(`http://rebind.test:${port}/`)).status).toBe(200)
    expect(resolve).toHaveBeenCalledTimes(1)
  })

  it('checks a name anew for each connection', async () => {
    handler = (_, response) => response.writeHead(200, { connection: 'close' }).end('once')
    const guarded = open({ resolve: resolver(['127.0.0.1'], ['10.0.0.1']), allowNetworks: ['127.0.0.1'] })
    expect(text((await guarded(`http://rebind.test:${port}/`)).body)).toBe('once')
    await expect(guarded(`http://rebind.test:${port}/`)).rejects.toMatchObject({ code: 'forbidden_address' })
    handler = (_, response) => response.end('hello')
  })

  it('reaches loopback where the operator allows it', async () => {
    const answer = await open({ allowNetworks: ['loopback'] })(toServer())
    expect([answer.status, answer.ok, text(answer.body)]).toEqual([200, true, 'hello'])
  })

  it.each([
    ['ftp://example.com/x', /begins with ftp:/],
    ['file:///etc/passwd', /begins with file:/],
    ['data:image/png;base64,AAAA', /begins with data:/],
    ['not a url', /not valid/],
    ['http://user:secret@example.com/', /holds a user name or password/],
  ])('%s is refused', async (url, message) => {
    const failure = open()(url)
    await expect(failure).rejects.toMatchObject({ code: 'invalid_url', retryable: false })
    await expect(failure).rejects.toThrow(message)
    await expect(failure).rejects.not.toThrow(/secret/)
  })

  it('names a host that does not exist, for good', async () => {
    const resolve: Resolve = async () => {
      throw Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' })
    }
    await expect(open({ resolve })('https://nowhere.test/x.jpg')).rejects.toMatchObject({
      code: 'unknown_host',
      retryable: false,
      message: 'The host nowhere.test does not exist.',
    })
  })

  it('calls a refused connection retryable', async () => {
    await expect(open({ allowNetworks: ['loopback'] })('http://127.0.0.1:9/')).rejects.toMatchObject({
      code: 'unreachable',
      retryable: true,
    })
  })
})

describe('redirects', () => {
  const inside = (options: GuardedFetchOptions = {}) => open({ allowNetworks: ['127.0.0.1'], ...options })

  it('are checked anew', async () => {
    handler = (_, response) => response.writeHead(302, { location: `http://[::1]:${port}/` }).end()
    await expect(inside()(toServer())).rejects.toMatchObject({ code: 'forbidden_address' })
    handler = (_, response) => response.writeHead(302, { location: 'http://metadata.test/' }).end()
    await expect(inside({ resolve: resolver(['169.254.169.254']) })(toServer())).rejects.toMatchObject({
      code: 'forbidden_address',
    })
    handler = (_, response) => response.writeHead(301, { location: 'file:///etc/passwd' }).end()
    await expect(inside()(toServer())).rejects.toMatchObject({ code: 'invalid_url' })
  })

  it('are followed up to the limit, without credentials to another origin', async () => {
    const seen: (string | undefined)[] = []
    handler = (request, response) => {
      seen.push(request.headers.authorization)
      const hop = Number(request.url!.slice(1))
      if (hop === 2) return response.end('arrived')
      return response.writeHead(307, { location: `http://other.test:${port}/${hop + 1}` }).end()
    }
    const guarded = inside({ resolve: resolver(['127.0.0.1']) })
    const answer = await guarded(toServer('/0'), { headers: { authorization: 'Bearer x' } })
    expect(text(answer.body)).toBe('arrived')
    expect(answer.url).toBe(`http://other.test:${port}/2`)
    expect(seen).toEqual(['Bearer x', undefined, undefined])
    await expect(guarded(toServer('/-9'), { maxRedirects: 3 })).rejects.toMatchObject({ code: 'too_many_redirects' })
  })

  it('are returned where none may be followed', async () => {
    handler = (_, response) => response.writeHead(308, { location: '/elsewhere' }).end()
    expect((await inside()(toServer(), { method: 'POST', body: '{}', maxRedirects: 0 })).status).toBe(308)
  })
})

describe('limits', () => {
  const inside = (options: GuardedFetchOptions = {}) => open({ allowNetworks: ['loopback'], ...options })

  it('hold for a declared and for an undeclared size', async () => {
    handler = (_, response) => response.writeHead(200, { 'content-length': '1001' }).end('x'.repeat(1001))
    await expect(inside({ maxBytes: 1000 })(toServer())).rejects.toMatchObject({ code: 'too_large', retryable: false })
    handler = (_, response) => {
      response.on('close', () => clearInterval(timer))
      const timer = setInterval(() => response.write('x'.repeat(400)), 1)
    }
    await expect(inside({ maxBytes: 1000 })(toServer())).rejects.toMatchObject({ code: 'too_large' })
  })

  it('let the status decide before any of a body is looked at', async () => {
    const drip =
      (status: number, length: number): Handler =>
      (_, response) => {
        response.writeHead(status).write('x'.repeat(length))
        const timer = setInterval(() => response.write('.'), 50)
        response.on('close', () => clearInterval(timer))
      }
    for (const length of [1, 1_500_000]) {
      handler = drip(500, length)
      await expect(inside({ timeout: 500 })(toServer())).resolves.toMatchObject({ status: 500, ok: false })
      handler = drip(200, length)
      const taken = inside({ timeout: 500 })(toServer(), { ignoreBody: true })
      await expect(taken).resolves.toMatchObject({ status: 200, body: new Uint8Array() })
    }
  })

  it('hold for the time until headers and for the time of the whole body', async () => {
    handler = () => {}
    await expect(inside({ timeout: 50 })(toServer())).rejects.toMatchObject({ code: 'timeout', retryable: true })
    handler = (_, response) => {
      response.on('close', () => clearInterval(timer))
      const timer = setInterval(() => response.write('.'), 5)
    }
    await expect(inside({ timeout: 100 })(toServer())).rejects.toThrow(/did not answer within 0.1 s/)
  })

  it('let the caller end it', async () => {
    handler = () => {}
    const controller = new AbortController()
    const fetching = inside()(toServer(), { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(fetching).rejects.toThrow('enough')
  })

  it('survive an answer that breaks off', async () => {
    handler = (_, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('part', () => response.destroy())
    }
    await expect(inside()(toServer())).rejects.toMatchObject({ code: 'unreachable', retryable: true })
  })

  it('sends a body and asks for no compression', async () => {
    handler = (request, response) => {
      request.setEncoding('utf8').on('data', (body: string) => {
        response.end(JSON.stringify({ body, encoding: request.headers['accept-encoding'], method: request.method }))
      })
    }
    const answer = await inside()(toServer(), { method: 'POST', body: '{"a":1}' })
    expect(JSON.parse(text(answer.body))).toEqual({ body: '{"a":1}', encoding: 'identity', method: 'POST' })
  })
})
