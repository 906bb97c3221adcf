/** The table of routes is what is served: every path of the wire, behind its own kind of authorisation, and nothing else. */
import { request } from 'node:http'
import { paths } from '@kinora/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROUTES } from '../../src/routes/table.ts'
import { API_KEY, openServer, type TestServer, WORKER_TOKEN } from './server.ts'

let server: TestServer
beforeAll(async () => {
  server = await openServer()
})
afterAll(() => server?.close())

const pathOf = (pattern: string): string => pattern.replace(/:\w+(\{.*\})?/, 'none')
const KEYS = { apiKey: API_KEY, workerToken: WORKER_TOKEN, webhookSecret: '', none: '' }

it('has every path of the protocol', () => {
  const patterns = new Set<string>(ROUTES.map(({ path }) => path))
  expect(Object.values(paths).filter(({ pattern }) => !patterns.has(pattern))).toEqual([])
})

describe.each(ROUTES.map((route) => ({ route, name: `${route.method.toUpperCase()} ${route.path}` })))(
  '$name',
  ({ route }) => {
    const ask = (authorization?: string) =>
      fetch(server.url + pathOf(route.path), {
        method: route.method.toUpperCase(),
        redirect: 'manual',
        headers: {
          'content-type': 'application/json',
          origin: 'https://app.example.com',
          ...(authorization === undefined ? {} : { authorization: `Bearer ${authorization}` }),
        },
      })

    it('says who it is for, and is named, uncached and readable across origins', async () => {
      const answer = await ask()
      await answer.body?.cancel()
      expect(answer.status === 401).toBe(route.auth !== 'none')
      expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
      expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
      expect(answer.headers.get('access-control-allow-origin')).toBe('*')
      expect(answer.headers.get('cache-control')).toBeTruthy()
    })

    it('opens to no other key', async () => {
      const wrong = Object.entries(KEYS).filter(([kind, key]) => kind !== route.auth && key !== '')
      if (route.auth === 'none') return
      for (const [, key] of wrong) {
        const answer = await ask(key)
        await answer.body?.cancel()
        expect(answer.status).toBe(401)
      }
    })

    it('says which methods it takes', async () => {
      const taken = ROUTES.filter(({ path }) => path === route.path).map(({ method }) => method.toUpperCase())
      for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'TRACE'].filter((one) => !taken.includes(one))) {
        const { status, headers } = await raw(method, pathOf(route.path))
        expect([method, status]).toEqual([method, 405])
        for (const one of taken) expect(headers.allow).toContain(one)
      }
    })
  },
)

/** By Node's own client: fetch knows no TRACE. */
function raw(
  method: string,
  path: string,
): Promise<{ status: number | undefined; headers: Record<string, string | string[] | undefined> }> {
  return new Promise((resolve, reject) => {
    request(server.url + path, { method }, (answer) => {
      answer.resume()
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers }))
    })
      .on('error', reject)
      .end()
  })
}

it('refuses compressed bodies before it reads them', async () => {
  const answer = await server.call(paths.generate(), {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    body: '{}',
  })
  expect([answer.status, await answer.json()]).toEqual([
    415,
    expect.objectContaining({ code: 'unsupported_media_type' }),
  ])
})
