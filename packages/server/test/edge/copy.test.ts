/** A finished video goes to a storage of the app's: whole, once, and only where it is allowed to go. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { type Job, paths } from '@kinora/protocol'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { openServer, type TestServer, VIDEO } from './server.ts'

let server: TestServer
let job: Job
const received: { method: string | undefined; type: string | undefined; length: string | undefined; bytes: Buffer }[] =
  []
let answer: (request: IncomingMessage, response: ServerResponse) => void

const storage = createServer((request, response) => {
  void (async () => {
    const bytes = await buffer(request)
    const { method, headers } = request
    received.push({ method, type: headers['content-type'], length: headers['content-length'], bytes })
    answer(request, response)
  })()
})
let upload_url: string

beforeAll(async () => {
  storage.listen(0, '127.0.0.1')
  await once(storage, 'listening')
  upload_url = `http://127.0.0.1:${(storage.address() as AddressInfo).port}/upload?token=secret-of-the-storage`
  server = await openServer({ allowNetworks: ['loopback'] })
  job = await server.generate()
  await server.finishNext()
})
afterAll(async () => {
  await server?.close()
  storage.closeAllConnections()
  storage.close()
})
beforeEach(() => {
  received.length = 0
  answer = (_, response) => void response.end('{"storageId":"kg2f9c"}')
})

const copy = async (body: object, jobId = job.job_id) => {
  const response = await server.post(paths.copy(jobId), body)
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

it('arrives whole, with its type and length, and the answer comes back', async () => {
  expect(await copy({ upload_url })).toEqual({
    status: 200,
    body: { status: 200, body: '{"storageId":"kg2f9c"}', size: VIDEO.length },
  })
  expect(received).toEqual([
    { method: 'POST', type: 'video/mp4', length: String(VIDEO.length), bytes: Buffer.from(VIDEO) },
  ])
})

it('goes by PUT where that is asked for', async () => {
  await copy({ upload_url, method: 'PUT' })
  expect(received.map(({ method }) => method)).toEqual(['PUT'])
})

it('is not sent where it is larger than wanted', async () => {
  expect(await copy({ upload_url, max_bytes: VIDEO.length - 1 })).toMatchObject({
    status: 413,
    body: { code: 'payload_too_large' },
  })
  expect(received).toEqual([])
})

it('is not carried on by a redirect', async () => {
  answer = (_, response) => void response.writeHead(307, { location: '/elsewhere' }).end()
  expect(await copy({ upload_url })).toMatchObject({ status: 502, body: { code: 'copy_failed' } })
  expect(received).toHaveLength(1)
})

it('says when the other storage did not take it, without the secret in its URL', async () => {
  answer = (_, response) => void response.writeHead(403).end('no')
  const refused = await copy({ upload_url })
  expect(refused).toMatchObject({
    status: 502,
    body: { code: 'copy_failed', error: expect.stringContaining('HTTP 403') },
  })
  answer = (_, response) => void response.destroy()
  const broken = await copy({ upload_url })
  expect(broken).toMatchObject({ status: 502, body: { code: 'copy_failed' } })
  expect(JSON.stringify([refused, broken, server.logs])).not.toContain('secret-of-the-storage')
})

it('goes to no address that the operator has not allowed', async () => {
  expect(await copy({ upload_url: 'http://169.254.169.254/latest' })).toMatchObject({
    status: 400,
    body: { code: 'invalid_request', issues: [{ path: 'upload_url' }] },
  })
})

it('is there for finished jobs of the tenant only', async () => {
  const waiting = await server.generate()
  expect(await copy({ upload_url }, waiting.job_id)).toMatchObject({ status: 409, body: { code: 'job_not_completed' } })
  expect(await copy({ upload_url }, 'job_of-somebody-else')).toMatchObject({ status: 404 })
  expect(received).toEqual([])
})
