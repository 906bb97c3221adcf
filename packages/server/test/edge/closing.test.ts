/** A server that closes: nobody is cut off who could finish, nobody new comes in, and nobody waits for ever. */
import { once } from 'node:events'
import { request } from 'node:http'
import { paths } from '@kinora/protocol'
import { describe, expect, it, vi } from 'vitest'
import { API_KEY, openServer } from './server.ts'

describe('closing', () => {
  it('ends streams and waiting claims, lets a request finish, and refuses new ones', async () => {
    const server = await openServer()
    const job = await server.generate()
    await server.call(paths.cancel(job.job_id), { method: 'POST' })
    const open = await server.generate()
    await server.finishNext()
    const waiting = await server.generate()

    const stream = await server.call(paths.jobEvents(waiting.job_id))
    const streaming = stream.text()
    const claiming = server.asWorker(paths.leases(), { model: 'ltx-video', worker: 'test', wait: 25 })

    // A request that is still being sent: its body comes only after the server has begun to close.
    const body = JSON.stringify({ content_type: 'image/jpeg' })
    const slow = request(server.url + paths.uploads(), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${API_KEY}`,
        'content-type': 'application/json',
        'content-length': body.length,
      },
    })
    const answered = once(slow, 'response') as Promise<[import('node:http').IncomingMessage]>
    slow.write(body.slice(0, 5))
    // The claim is the last of them to be logged as nothing: ask until the server has all three inside.
    await vi.waitFor(async () => expect((await server.call(paths.job(open.job_id))).status).toBe(200))

    const keepAlive = await server.call('/health')
    expect(keepAlive.status).toBe(200)
    const closing = server.close({ graceSeconds: 5 })
    slow.end(body.slice(5))

    const [answer] = await answered
    answer.resume()
    expect([201, 503]).toContain(answer.statusCode)
    expect((await claiming).status).toBeOneOf([204, 503])
    expect(await streaming).toContain('event: job')
    await closing
    await expect(fetch(`${server.url}/health`)).rejects.toThrow()
  })

  it('answers 503 with Retry-After to whoever still gets in', async () => {
    const server = await openServer()
    const closing = server.close()
    const answer = await server.app.request('/health')
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('2')
    expect(await answer.json()).toMatchObject({ code: 'shutting_down' })
    await closing
  })
})
