/** Streams over real HTTP: what arrives, what ends them, and what is left when a reader goes away. */
import { type Job, paths } from '@kinora/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServer, type TestServer } from './server.ts'

let server: TestServer
beforeAll(async () => {
  server = await openServer()
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
    const repeated: Event[] = []
    for await (const event of read(again)) repeated.push(event)
    expect(repeated).toEqual([])
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
  it('leave nothing behind', async () => {
    const made = await server.generate()
    const controllers = Array.from({ length: 50 }, () => new AbortController())
    await Promise.all(
      controllers.map(async ({ signal }) => {
        const answer = await server.call(paths.jobEvents(made.job_id), { signal })
        await answer.body!.getReader().read()
      }),
    )
    for (const controller of controllers) controller.abort()
    // A server that still held a stream would wait for it here, and the hook would run out of time.
    const started = performance.now()
    await server.call(paths.job(made.job_id), { method: 'DELETE' })
    await server.close({ graceSeconds: 20 })
    expect(performance.now() - started).toBeLessThan(10_000)
  })
})
