/** Streams over connections that are cut, held back, refused, or closed too early. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { fixtures, readFixture } from '@kinora/protocol/fixtures'
import { isApiError, isConnectionError, type Job, Kinora } from '../src/index.ts'
import { type CutProxy, cutProxy, serve, serveMock } from './serve.ts'

const image_url = 'https://photos.example.com/cat.jpg'

let served: Awaited<ReturnType<typeof serveMock>>
let proxy: CutProxy
let kinora: Kinora
let direct: Kinora

beforeEach(async () => {
  served = await serveMock({ stepInterval: false })
  proxy = await cutProxy(served.url)
  kinora = new Kinora({ baseUrl: proxy.url })
  direct = new Kinora({ baseUrl: served.url })
})
afterEach(async () => {
  await proxy.close()
  await served.close()
})

/** Reads in the background what a stream gives. */
function collect(stream: AsyncIterable<Job>): { seen: Job[]; end: Promise<void> } {
  const seen: Job[] = []
  const end = (async () => {
    for await (const job of stream) seen.push(job)
  })()
  return { seen, end }
}

/** Waits until a check holds; generous, for slow machines. */
const soon = (check: () => void) => vi.waitFor(check, { timeout: 10_000 })

const progress = (jobs: readonly Job[]) => jobs.map((job) => job.progress)
const streamRequests = () => served.mock.requests.filter(({ path }) => path.endsWith('/events'))
const polls = (jobId: string) => served.mock.requests.filter(({ path }) => path === `/api/v1/jobs/${jobId}`)

test('each change arrives once, and the stream ends with the final state', async () => {
  const { job_id } = await direct.generate({ image_url })
  const { seen, end } = collect(kinora.stream(job_id))
  for (const expected of [0, 5, 10, 50, 90, 95]) {
    await soon(() => expect(seen.at(-1)?.progress).toBe(expected))
    served.mock.advance(job_id)
  }
  await end
  expect(progress(seen)).toEqual([0, 5, 10, 50, 90, 95, 100])
  expect(seen.at(-1)?.status).toBe('completed')
})

test('a job that has ended gives one snapshot', async () => {
  const { job_id } = await direct.generate({ image_url })
  served.mock.complete(job_id)
  const { seen, end } = collect(kinora.stream(job_id))
  await end
  expect(seen.map(({ status }) => status)).toEqual(['completed'])
})

describe('cut connections', () => {
  test('resume with Last-Event-ID: nothing is missed and nothing comes twice', async () => {
    const { job_id } = await direct.generate({ image_url })
    const { seen, end } = collect(kinora.stream(job_id))
    await soon(() => expect(seen).toHaveLength(1))
    proxy.cut()
    await soon(() => expect(streamRequests()).toHaveLength(2))
    expect(streamRequests()[1]?.headers.get('last-event-id')).toBe(`${job_id}.1`)

    proxy.cut()
    served.mock.advance(job_id)
    served.mock.advance(job_id)
    await soon(() => expect(seen.at(-1)?.progress).toBe(10))
    served.mock.complete(job_id)
    await end
    expect(progress(seen)).toEqual([0, 10, 100])
  })

  test('in the middle of an event', async () => {
    const { job_id } = await direct.generate({ image_url })
    proxy.cutAfter = 400
    const { seen, end } = collect(kinora.stream(job_id))
    await soon(() => expect(proxy.connections).toBeGreaterThan(1))
    expect(seen).toEqual([])
    proxy.cutAfter = Infinity
    served.mock.complete(job_id)
    await end
    expect(seen.at(-1)?.status).toBe('completed')
  })

  test('a server that is away for a while is waited for', async () => {
    const { job_id } = await direct.generate({ image_url })
    const waiting = kinora.wait(job_id)
    await soon(() => expect(served.mock.openStreams).toBe(1))
    proxy.down = true
    proxy.cut()
    served.mock.complete(job_id)
    await soon(() => expect(served.mock.openStreams).toBe(0))
    proxy.down = false
    await expect(waiting).resolves.toMatchObject({ status: 'completed' })
  })

  test('a server that stays away ends the stream with an error that has the job', async () => {
    const { job_id } = await direct.generate({ image_url })
    const hasty = new Kinora({ baseUrl: proxy.url, retries: 0 })
    const { seen, end } = collect(hasty.stream(job_id, { giveUpAfter: 200 }))
    await soon(() => expect(seen).toHaveLength(1))
    proxy.down = true
    proxy.cut()
    const error = await end.catch((reason: unknown) => reason)
    expect(isConnectionError(error) && error.jobId).toBe(job_id)
  })

  test('503 with Retry-After while the queue restarts is waited out', async () => {
    const { job_id } = await direct.generate({ image_url })
    const { seen, end } = collect(kinora.stream(job_id))
    await soon(() => expect(seen).toHaveLength(1))
    served.mock.failNext({ status: 503, retryAfter: 0, path: '/events', times: 6 })
    proxy.cut()
    served.mock.complete(job_id)
    await end
    expect(seen.at(-1)?.status).toBe('completed')
    expect(streamRequests().length).toBeGreaterThan(6)
  })
})

describe('proxies that hold a stream back', () => {
  test('silence leads to polling', async () => {
    const { job_id } = await direct.generate({ image_url })
    const { seen, end } = collect(kinora.stream(job_id, { silence: 80, pollInterval: 20 }))
    await soon(() => expect(seen).toHaveLength(1))
    await soon(() => expect(polls(job_id).length).toBeGreaterThan(3))
    expect(seen).toHaveLength(1)
    served.mock.advance(job_id)
    await soon(() => expect(progress(seen)).toEqual([0, 5]))
    served.mock.complete(job_id)
    await end
    expect(progress(seen)).toEqual([0, 5, 100])
    expect(served.mock.openStreams).toBe(0)
  })

  test('also when not even the headers come', async () => {
    const { job_id } = await direct.generate({ image_url })
    const hasty = new Kinora({ baseUrl: served.url, timeout: 1000, retries: 0 })
    served.mock.failNext({ kind: 'hang', path: '/events' })
    const { seen, end } = collect(hasty.stream(job_id, { pollInterval: 10 }))
    await soon(() => expect(progress(seen)).toEqual([0]))
    served.mock.complete(job_id)
    await end
    expect(progress(seen)).toEqual([0, 100])
  })

  test('a polling stream survives failures as well', async () => {
    const { job_id } = await direct.generate({ image_url })
    const hasty = new Kinora({ baseUrl: proxy.url, retries: 0 })
    const { seen, end } = collect(hasty.stream(job_id, { silence: 30, pollInterval: 10 }))
    await soon(() => expect(polls(job_id).length).toBeGreaterThan(1))
    served.mock.failNext({ status: 502, page: 'Bad Gateway', times: 2 })
    served.mock.complete(job_id)
    await end
    expect(progress(seen)).toEqual([0, 100])
  })

  test('a comment now and then is no silence', async () => {
    const job = readFixture('job-completed')
    const slow = await serve((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' }).flushHeaders()
      let comments = 0
      const timer = setInterval(() => {
        response.write(': still here\n\n')
        if (++comments < 8) return
        clearInterval(timer)
        response.end(`event: job\nid: 1\ndata: ${JSON.stringify(job)}\n\n`)
      }, 25)
    })
    const { seen, end } = collect(
      new Kinora({ baseUrl: slow.url }).stream(job.job_id, { silence: 120, pollInterval: 1 }),
    )
    await end
    expect(seen).toEqual([job])
    await slow.close()
  })

  test('streams that end without a word, one after the other, lead to polling', async () => {
    let count = 0
    const curt = await serve((request, response) => {
      if (request.url?.endsWith('/events')) {
        count++
        return response.writeHead(200, { 'content-type': 'text/event-stream' }).end()
      }
      return response.end(JSON.stringify(fixtures['job-completed'].value))
    })
    const { seen, end } = collect(new Kinora({ baseUrl: curt.url }).stream('job_4f8bQm2XkT', { pollInterval: 1 }))
    await end
    expect([count, seen.length]).toEqual([3, 1])
    await curt.close()
  })

  test('a page instead of a stream leads to polling, which says what is wrong', async () => {
    const shop = await serve((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<title>Log in</title>'),
    )
    const { end } = collect(new Kinora({ baseUrl: shop.url }).stream('job_1', { giveUpAfter: 0 }))
    await expect(end).rejects.toThrow(/200 \(text\/html\) "Log in"/)
    await shop.close()
  })
})

test('events in pieces, with CRLF, unknown kinds and unknown fields are read', async () => {
  const job = { ...readFixture('job-processing'), from_the_future: 1 }
  const done = readFixture('job-completed')
  const text = [
    'retry: 50\r\n: hello\r\n\r\n',
    'event: notice\r\ndata: "something new"\r\n\r\n',
    'event: job\r\nid: r1\r\ndata: not json\r\n\r\n',
    `event: job\r\nid: r2\r\ndata: ${JSON.stringify({ ...job, prompt: 'Möwe 🕊' })}\r\n\r\n`,
    `event: job\r\nid: r3\r\ndata: ${JSON.stringify(done)}\r\n\r\n`,
  ].join('')
  const bytes = new TextEncoder().encode(text)
  const pieces = new ReadableStream<Uint8Array>({
    start(controller) {
      // Seven bytes at a time, which also splits characters.
      for (let at = 0; at < bytes.length; at += 7) controller.enqueue(bytes.slice(at, at + 7))
      controller.close()
    },
  })
  const fetch = async () => new Response(pieces, { headers: { 'content-type': 'text/event-stream' } })
  const { seen, end } = collect(new Kinora({ baseUrl: 'http://kinora.test', fetch }).stream(job.job_id))
  await end
  expect(seen).toEqual([{ ...job, prompt: 'Möwe 🕊' }, done])
})

test('an unknown job, or one that is deleted meanwhile, is an error', async () => {
  const missing = await collect(kinora.stream('job_none')).end.catch((reason: unknown) => reason)
  expect(isApiError(missing) && [missing.code, missing.jobId]).toEqual(['job_not_found', 'job_none'])

  const { job_id } = await direct.generate({ image_url })
  const { seen, end } = collect(kinora.stream(job_id, { silence: 30, pollInterval: 10 }))
  await soon(() => expect(polls(job_id).length).toBeGreaterThan(1))
  await direct.delete(job_id)
  const deleted = await end.catch((reason: unknown) => reason)
  expect(isApiError(deleted) && deleted.code).toBe('job_not_found')
  expect(seen).toHaveLength(1)
})

test('leaving a stream closes its connection', async () => {
  const { job_id } = await direct.generate({ image_url })
  for await (const _job of kinora.stream(job_id)) break
  await soon(() => expect(served.mock.openStreams).toBe(0))
})

describe('events of all jobs', () => {
  test('come over one connection, and resume', async () => {
    const controller = new AbortController()
    const { seen, end } = collect(kinora.events({ signal: controller.signal }))
    await soon(() => expect(served.mock.openStreams).toBe(1))
    const first = await direct.generate({ image_url })
    const second = await direct.generate({ image_url })
    await soon(() => expect(seen.map(({ job_id }) => job_id)).toEqual([first.job_id, second.job_id]))
    proxy.cut()
    await soon(() => expect(streamRequests()).toHaveLength(2))
    await soon(() => expect(served.mock.openStreams).toBe(1))
    served.mock.complete(second.job_id)
    await soon(() => expect(seen.at(-1)).toMatchObject({ job_id: second.job_id, status: 'completed' }))
    controller.abort(new Error('enough'))
    await expect(end).rejects.toThrow('enough')
    await soon(() => expect(served.mock.openStreams).toBe(0))
  })

  test('are polled where the stream is silent', async () => {
    const controller = new AbortController()
    served.mock.failNext({ kind: 'hang', path: '/events' })
    // The first poll has as long: a server that has never answered counts as a wrong address.
    const hasty = new Kinora({ baseUrl: served.url, timeout: 1000, retries: 0 })
    const { seen, end } = collect(hasty.events({ signal: controller.signal, pollInterval: 10 }))
    await soon(() => expect(streamRequests()).toHaveLength(1))
    const { job_id } = await direct.generate({ image_url })
    await soon(() => expect(seen.map(({ status }) => status)).toEqual(['queued']))
    served.mock.complete(job_id)
    await soon(() => expect(seen.map(({ status }) => status)).toEqual(['queued', 'completed']))
    controller.abort(new Error('enough'))
    await expect(end).rejects.toThrow('enough')
  })
})
