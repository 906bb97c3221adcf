/** Streams over real HTTP: what arrives, what ends them, and what is left when a reader or the server goes away. */
import { once } from 'node:events'
import { get, type IncomingMessage, request } from 'node:http'
import { type Job, paths } from '@kinora/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { API_KEY, openServer, type TestServer } from './server.ts'

let server: TestServer
/** Paths of requests that are inside. */
const asked: string[] = []
beforeAll(async () => {
  server = await openServer({
    authenticate: (incoming) => {
      asked.push(new URL(incoming.url).pathname)
      return { tenant: 'anna' }
    },
  })
})
afterAll(() => server?.close())

interface Event {
  readonly id: string | undefined
  readonly event: string | undefined
  readonly job: Job
}

/** Reads a stream to its end, or until told to stop. */
async function* read(answer: Response): AsyncGenerator<Event> {
  let buffer = ''
  const decoder = new TextDecoder()
  for await (const chunk of answer.body!) {
    buffer += decoder.decode(chunk, { stream: true })
    for (let end = buffer.indexOf('\n\n'); end >= 0; end = buffer.indexOf('\n\n')) {
      const block = buffer.slice(0, end).split('\n')
      buffer = buffer.slice(end + 2)
      const field = (name: string) => block.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
      const data = field('data')
      if (data !== undefined) yield { id: field('id'), event: field('event'), job: JSON.parse(data) as Job }
    }
  }
}

describe('a stream of one job', () => {
  it('begins with the present and ends after a final state', async () => {
    const made = await server.generate()
    const answer = await server.call(paths.jobEvents(made.job_id))
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('text/event-stream')
    expect(answer.headers.get('cache-control')).toBe('no-cache, no-transform')
    expect(answer.headers.get('x-accel-buffering')).toBe('no')

    const statuses: string[] = []
    let finishing: Promise<unknown> | undefined
    let lastId: string | undefined
    for await (const { id, event, job } of read(answer)) {
      expect(event).toBe('job')
      expect(id).toBeTruthy()
      lastId = id
      statuses.push(job.status)
      finishing ??= server.finishNext()
    }
    await finishing
    expect(statuses[0]).toBe('queued')
    expect(statuses.at(-1)).toBe('completed')

    const again = await server.call(paths.jobEvents(made.job_id), { headers: { 'last-event-id': lastId! } })
    // A browser's EventSource comes back after everything else.
    expect([again.status, await again.text()]).toEqual([204, ''])
    const older = await server.call(paths.jobEvents(made.job_id), { headers: { 'last-event-id': 'an-older-one' } })
    const repeated: Event[] = []
    for await (const event of read(older)) repeated.push(event)
    expect(repeated.map(({ job }) => job.status)).toEqual(['completed'])
  })

  it('is refused with a status when there is no such job', async () => {
    const answer = await server.call(paths.jobEvents('none'))
    expect(answer.status).toBe(404)
    expect(await answer.json()).toMatchObject({ error: 'Job not found', code: 'job_not_found' })
  })
})

describe('a stream of all jobs', () => {
  it('shows the jobs of its tenant as they change', async () => {
    const controller = new AbortController()
    const answer = await server.call(paths.events(), { signal: controller.signal })
    const made = await server.generate()
    const finishing = server.finishNext()
    for await (const { job } of read(answer)) {
      if (job.job_id === made.job_id && job.status === 'completed') break
    }
    await finishing
    controller.abort()
  })
})

describe('readers that go away', () => {
  it('were never there when they only asked for the headers', async () => {
    const made = await server.generate()
    const subscribers = (): unknown => Reflect.get(server.core.events, 'subscribers')
    for (const path of [paths.jobEvents(made.job_id), paths.events()]) {
      const head = await server.call(path, { method: 'HEAD' })
      expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    }
    // One that does read shows that they would be seen.
    const reading = new AbortController()
    const answer = await server.call(paths.events(), { signal: reading.signal })
    await expect.poll(subscribers).toBe(1)
    reading.abort()
    await answer.text().catch(() => undefined)
    await expect.poll(subscribers).toBe(0)
    await server.call(paths.job(made.job_id), { method: 'DELETE' })
  })

  it('leave nothing behind', async () => {
    const made = await server.generate()
    const readers = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const reader = get(server.url + paths.jobEvents(made.job_id), { agent: false })
        const [answer] = (await once(reader, 'response')) as [IncomingMessage]
        await once(answer, 'data')
        return reader
      }),
    )
    // Both ends of each are in this process.
    expect(countSockets()).toBeGreaterThanOrEqual(100)
    for (const reader of readers) reader.on('error', () => undefined).destroy()
    await expect.poll(countSockets).toBeLessThan(20)
    await server.call(paths.job(made.job_id), { method: 'DELETE' })
  })
})

function countSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
}

describe('a server that closes', () => {
  it('ends streams and waiting claims, lets a request finish, and refuses new ones', async () => {
    const waiting = await server.generate()
    const events = read(await server.call(paths.jobEvents(waiting.job_id)))
    expect((await events.next()).value).toMatchObject({ job: { status: 'queued' } })
    let streaming = true
    const streamed = events.next().then(({ done }) => {
      streaming = false
      return done
    })
    const claiming = server.asWorker(paths.leases(), { model: 'ltx-video', worker: 'test', wait: 25 })

    // A request that is still being sent: the rest of its body comes only after the server has begun to close.
    const body = JSON.stringify({ content_type: 'image/jpeg' })
    const slow = request(server.url + paths.uploads(), {
      method: 'POST',
      headers: {
        authorization: `Bearer ${API_KEY}`,
        'content-type': 'application/json',
        'content-length': body.length,
      },
    })
    const answered = new Promise<IncomingMessage>((resolve) => slow.once('response', resolve))
    slow.write(body.slice(0, 5))
    await expect.poll(() => asked.at(-1)).toBe(paths.uploads())
    expect(streaming).toBe(true)

    const closing = server.close({ graceSeconds: 10 })
    const refused = await server.app.request('/health')
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '2'])
    expect(await refused.json()).toMatchObject({ code: 'shutting_down' })
    slow.end(body.slice(5))

    const answer = await answered
    answer.resume()
    expect(answer.statusCode).toBe(201)
    expect((await claiming).status).toBe(204)
    expect(await streamed).toBe(true)
    await closing
    await expect(fetch(`${server.url}/health`)).rejects.toThrow()
  })
})
