/** The client against the mock's handlers behind a real port. */
import { createHash } from 'node:crypto'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { fixtures, readFixture } from '@kinora/protocol/fixtures'
import {
  isApiError,
  isConnectionError,
  isInputError,
  isJobCanceledError,
  isJobFailedError,
  isKinoraError,
  isTimeoutError,
  isUnexpectedResponseError,
  type Job,
  Kinora,
  type KinoraOptions,
} from '../src/index.ts'
import { serve, serveMock } from './serve.ts'

const apiKey = 'secret-key-that-nobody-may-see'
const jpeg = new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3, 4])

let served: Awaited<ReturnType<typeof serveMock>>
let kinora: Kinora

beforeAll(async () => {
  // Jobs stay queued until a test moves them, so that no test depends on how fast the machine is.
  served = await serveMock({ apiKey, stepInterval: false })
  kinora = client()
})
afterEach(() => served.mock.reset())
afterAll(() => served.close())

function client(options: Partial<KinoraOptions> = {}): Kinora {
  return new Kinora({ baseUrl: served.url, apiKey, ...options })
}

async function thrownBy(promise: Promise<unknown>): Promise<Error> {
  const outcome: unknown = await promise.then(
    (value: unknown) => new Error(`It was fulfilled with ${JSON.stringify(value)}.`),
    (reason: unknown) => reason,
  )
  if (!(outcome instanceof Error)) throw new TypeError('Something else than an Error was thrown.')
  return outcome
}

/** Waits until a check holds; generous, for slow machines. */
const soon = (check: () => void) => vi.waitFor(check, { timeout: 10_000 })

const paths = () => served.mock.requests.map(({ method, path }) => `${method} ${path.split('?')[0]}`)

test('the whole way: generate, stream, wait, download', async () => {
  const running = await serveMock({ stepInterval: 5 })
  const kinora = new Kinora({ baseUrl: running.url })
  const job = await kinora.generate({ image: jpeg, prompt: 'The cat blinks', duration: 3 })
  expect(job).toMatchObject({ status: 'queued', prompt: 'The cat blinks', duration: 3 })

  const seen: Job[] = []
  for await (const snapshot of kinora.stream(job.job_id)) seen.push(snapshot)
  expect(seen.at(-1)).toMatchObject({ status: 'completed', progress: 100 })
  expect(seen.map(({ progress }) => progress)).toEqual(
    seen.map(({ progress }) => progress).toSorted((a, b) => (a ?? 0) - (b ?? 0)),
  )

  const done = await kinora.wait(job.job_id)
  expect(done.result_url).toContain('/output.mp4')
  const video = await kinora.download(done.job_id)
  expect(video.headers.get('content-type')).toBe('video/mp4')
  expect(new TextDecoder().decode(await video.arrayBuffer())).toContain('ftypisom')
  await running.close()
})

describe('the picture', () => {
  const forms: [string, () => Parameters<Kinora['upload']>[0]][] = [
    ['a File', () => new File([jpeg], 'cat.jpg', { type: 'image/jpeg' })],
    ['a Blob with a wrong type', () => new Blob([jpeg], { type: 'text/plain' })],
    ['bytes', () => jpeg],
    ['a part of a buffer', () => new Uint8Array([9, 9, ...jpeg, 9]).subarray(2, 2 + jpeg.length)],
    ['an ArrayBuffer', () => jpeg.slice().buffer],
    ['a stream', () => new Blob([jpeg]).stream()],
    ['a data: URL', () => `data:image/jpeg;base64,${btoa(String.fromCharCode(...jpeg))}`],
    ['a blob: URL', () => URL.createObjectURL(new Blob([jpeg]))],
  ]
  test.each(forms)('%s arrives byte for byte', async (_name, image) => {
    const { upload_id } = await kinora.upload(image())
    expect(served.mock.uploads.get(upload_id)).toMatchObject({ content_type: 'image/jpeg', bytes: jpeg })
    await expect(kinora.generate({ upload_id })).resolves.toMatchObject({ status: 'queued' })
  })

  test('by URL is fetched by the server', async () => {
    await kinora.generate({ image: new URL('https://photos.example.com/cat.jpg') })
    await kinora.generate({ image_url: 'https://photos.example.com/cat.jpg' })
    expect(paths()).toEqual(['POST /api/v1/generate', 'POST /api/v1/generate'])
  })

  test('uploads tell how far they are', async () => {
    const onUploadProgress = vi.fn()
    await kinora.upload(jpeg, { onUploadProgress })
    expect(onUploadProgress.mock.calls).toEqual([[{ loaded: 0, total: 8 }], [{ loaded: 8, total: 8 }]])
  })

  test.each([
    ['a path', './cat.jpg', /fromPath/],
    ['nothing', new Uint8Array(), /empty/],
    ['a text file', new TextEncoder().encode('hello, this is text'), /not a picture/],
    ['21 MB', new Uint8Array(21 * 1024 * 1024), /too large/],
    ['a stream of 21 MB', new Blob([new Uint8Array(21 * 1024 * 1024)]).stream(), /too large/],
    ['a broken data: URL', 'data:image/png;base64,%%%', /cannot be decoded/],
  ])('%s is refused before anything is sent', async (_name, image, message) => {
    const error = await thrownBy(kinora.generate({ image }))
    expect(isInputError(error)).toBe(true)
    expect(error.message).toMatch(message)
    expect(paths()).toEqual([])
  })

  test('the storage gets neither key, headers nor cookies of the server: for no picture and for no video', async () => {
    const sent: Request[] = []
    const spying = client({
      headers: { 'x-tenant': 'a' },
      credentials: 'include',
      fetch: (input, init) => {
        const request = new Request(input, init)
        sent.push(request.clone())
        return fetch(request)
      },
    })
    const { job_id } = await spying.generate({ image: jpeg, end_image: jpeg })
    served.mock.complete(job_id)
    await (await spying.download(job_id)).arrayBuffer()

    const toStorage = sent.filter(({ url }) => new URL(url).pathname.startsWith('/storage/'))
    expect(toStorage.map(({ method }) => method)).toEqual(['PUT', 'PUT', 'GET'])
    for (const { headers, credentials } of toStorage) {
      expect([...headers.keys()]).not.toContain('authorization')
      expect([...headers.keys()]).not.toContain('x-tenant')
      expect(credentials).not.toBe('include')
    }
    const toServer = sent.filter((request) => !toStorage.includes(request))
    expect(toServer.length).toBeGreaterThan(2)
    for (const { headers, credentials } of toServer) {
      expect([headers.get('authorization'), headers.get('x-tenant')]).toEqual([`Bearer ${apiKey}`, 'a'])
      expect(credentials).toBe('include')
    }
  })
})

describe('retries', () => {
  test('a passing failure is tried again', async () => {
    served.mock.failNext({ status: 502, page: '<title>Bad Gateway</title>' })
    served.mock.failNext({ kind: 'network' })
    await expect(kinora.page()).resolves.toEqual({ jobs: [], next_cursor: null })
    expect(paths()).toHaveLength(3)
  })

  test('Retry-After is obeyed', async () => {
    served.mock.failNext({ status: 429, code: 'rate_limited', retryAfter: 1 })
    const start = performance.now()
    await kinora.page()
    expect(performance.now() - start).toBeGreaterThan(950)
  })

  test('a Retry-After beyond the time limit is an error at once, and says how long', async () => {
    served.mock.failNext({ status: 503, retryAfter: 3600 })
    const start = performance.now()
    const error = await thrownBy(kinora.page())
    expect(performance.now() - start).toBeLessThan(1000)
    expect(error).toMatchObject({ name: 'ApiError', status: 503, code: 'queue_unavailable', retryAfter: 3_600_000 })
  })

  test('a lost answer to generate makes no second video', async () => {
    served.mock.failNext({ kind: 'lost', path: '/generate' })
    const job = await kinora.generate({ image: jpeg })
    expect(served.mock.jobs().map(({ job_id }) => job_id)).toEqual([job.job_id])
    const keys = served.mock.requests
      .filter(({ path }) => path.includes('generate'))
      .map(({ headers }) => headers.get('idempotency-key'))
    expect(keys).toHaveLength(2)
    expect(new Set(keys).size).toBe(1)
  })

  test('a lost answer to delete is no failure', async () => {
    const { job_id } = await kinora.generate({ image_url: 'https://photos.example.com/cat.jpg' })
    served.mock.failNext({ kind: 'lost', method: 'DELETE' })
    await expect(kinora.delete(job_id)).resolves.toBeUndefined()
    expect(await thrownBy(kinora.delete(job_id))).toMatchObject({ code: 'job_not_found', jobId: job_id })
  })

  test('refusals are not tried again', async () => {
    for (const status of [400, 401, 403, 404, 409, 413, 422]) {
      served.mock.reset()
      served.mock.failNext({ status, code: 'some_code', error: 'No.', times: 5 })
      expect(await thrownBy(kinora.page())).toMatchObject({ status, code: 'some_code' })
      expect(paths()).toHaveLength(1)
    }
  })

  test('they end, with the last answer as the error', async () => {
    served.mock.failNext({ status: 500, code: 'internal_error', error: 'Internal server error', times: 9 })
    const error = await thrownBy(client({ retries: 1 }).status('job_1'))
    expect(error).toMatchObject({ code: 'internal_error', jobId: 'job_1' })
    expect(paths()).toHaveLength(2)
  })
})

describe('a key of the caller’s', () => {
  test('names one video, also when bytes are uploaded again', async () => {
    const first = await kinora.generate({ image: jpeg, duration: 2 }, { idempotencyKey: 'order-42' })
    const again = await client().generate({ image: jpeg.slice(), duration: 2 }, { idempotencyKey: 'order-42' })
    expect(again.job_id).toBe(first.job_id)
    const hash = createHash('sha256').update(jpeg).digest('hex')
    expect([...served.mock.uploads.keys()]).toEqual([`sha256-${hash}`])
  })

  test('goes on where the storage says that the picture is there already', async () => {
    const first = await kinora.generate({ image: jpeg }, { idempotencyKey: 'order-44' })
    served.mock.failNext({ status: 409, code: 'upload_conflict', path: '/presign/upload' })
    const again = await kinora.generate({ image: jpeg }, { idempotencyKey: 'order-44' })
    expect(again.job_id).toBe(first.job_id)
  })

  test('that an error carries can be used again, with bytes too', async () => {
    served.mock.failNext({ kind: 'lost', path: '/generate' })
    const error = await thrownBy(client({ retries: 0 }).generate({ image: jpeg }))
    if (!isConnectionError(error)) throw error
    const again = await kinora.generate({ image: jpeg }, { idempotencyKey: error.idempotencyKey })
    expect(served.mock.jobs().map(({ job_id }) => job_id)).toEqual([again.job_id])
  })

  test('is refused with another picture or other settings', async () => {
    await kinora.generate({ image: jpeg, duration: 2 }, { idempotencyKey: 'order-43' })
    const other = new Uint8Array([...jpeg, 5])
    expect(
      await thrownBy(kinora.generate({ image: other, duration: 2 }, { idempotencyKey: 'order-43' })),
    ).toMatchObject({
      status: 422,
      code: 'idempotency_mismatch',
      idempotencyKey: 'order-43',
    })
  })
})

describe('errors', () => {
  test('carry code, status, job, request and what is wrong', async () => {
    const error = await thrownBy(kinora.generate({ image_url: 'https://photos.example.com/cat.jpg', duration: 99 }))
    expect(isApiError(error) && error.issues).toEqual([{ path: 'duration', message: 'must be at most 10, not 99' }])
    expect(error).toMatchObject({ status: 400, code: 'invalid_request', requestId: 'req_mock1' })
    expect(error.message).toBe(
      'Invalid request: duration must be at most 10, not 99 (400 invalid_request, POST /api/v1/generate, request req_mock1)',
    )
    expect(await thrownBy(kinora.cancel('job_none'))).toMatchObject({ code: 'job_not_found', jobId: 'job_none' })
  })

  test('every error fixture of the protocol is understood', async () => {
    for (const name of ['error', 'error-issues'] as const) {
      const body = readFixture(name)
      const server = await serve((_request, response) =>
        response.writeHead(400).end(JSON.stringify(fixtures[name].value)),
      )
      const error = await thrownBy(client({ baseUrl: server.url }).health())
      expect(error).toMatchObject({ code: body.code, requestId: body.request_id, issues: body.issues ?? [] })
      await server.close()
    }
  })

  test('a wrong key says so', async () => {
    expect(await thrownBy(client({ apiKey: 'wrong' }).page())).toMatchObject({ status: 401, code: 'unauthorized' })
    expect((await thrownBy(client({ apiKey: undefined }).page())).message).toMatch(/Missing authorization header/)
  })

  test('a job that failed or was canceled rejects wait, with the job', async () => {
    const job = await kinora.generate({ image: jpeg })
    served.mock.fail(job.job_id, 'The picture is a recipe.', 'image_invalid')
    const failed = await thrownBy(kinora.wait(job.job_id))
    expect(isJobFailedError(failed) && failed.job.error_code).toBe('image_invalid')
    expect(failed.message).toBe(`Job ${job.job_id} failed: The picture is a recipe.`)
    const other = await kinora.generate({ image: jpeg })
    await kinora.cancel(other.job_id)
    const canceled = await thrownBy(kinora.wait(other.job_id))
    expect(isJobCanceledError(canceled) && canceled.jobId).toBe(other.job_id)
  })

  test('nobody listening: where, and why', async () => {
    const gone = await serve(() => {})
    await gone.close()
    const error = await thrownBy(client({ baseUrl: gone.url, retries: 1 }).status('job_1'))
    expect(isConnectionError(error)).toBe(true)
    expect(error.message).toMatch(
      new RegExp(`could not reach ${gone.url} \\(2 attempts\\): fetch failed \\(ECONNREFUSED\\)`),
    )
    expect(error).toMatchObject({ jobId: 'job_1' })
  })

  test('pages of proxies and other programs are named as what they are', async () => {
    const page = '<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>'
    served.mock.failNext({ status: 502, page, times: 9 })
    const bad = await thrownBy(client({ retries: 0 }).page())
    expect(bad.message).toBe('GET /api/v1/jobs was answered with 502 (text/html) "502 Bad Gateway".')
    expect(bad).toMatchObject({ code: 'http_502', status: 502 })

    const other = await serve((_request, response) =>
      response.writeHead(200, { 'content-type': 'text/html' }).end('<title>My shop</title>'),
    )
    const wrong = await thrownBy(client({ baseUrl: other.url }).page())
    expect(isUnexpectedResponseError(wrong)).toBe(true)
    expect(wrong.message).toMatch(/200 \(text\/html\) "My shop", which is not what a Kinora server says. Check baseUrl/)
    await other.close()
  })

  test('no error, and no client, shows the key or a signature', async () => {
    const text = (value: unknown) => inspect(value, { depth: 12, showHidden: true, getters: true })
    const job = await kinora.generate({ image: jpeg })
    const errors = [
      await thrownBy(client({ apiKey: `${apiKey}2` }).page()),
      await thrownBy(client({ baseUrl: 'http://127.0.0.1:9', retries: 0 }).page()),
      await thrownBy(client({ timeout: 1, retries: 0, fetch: () => new Promise(() => {}) }).page()),
    ]
    served.mock.failNext({ status: 500, page: 'oops', times: 9 })
    errors.push(await thrownBy(client({ retries: 0 }).status(job.job_id)))
    const storage = await serve((request, response) => {
      if (request.method === 'POST') {
        const upload = { ...readFixture('upload'), upload_url: `${storage.url}/put?X-Amz-Signature=signed` }
        return response.end(JSON.stringify(upload))
      }
      return response
        .writeHead(403)
        .end('<?xml?><Error><Code>AccessDenied</Code><Message>No</Message><StringToSign>signed</StringToSign></Error>')
    })
    errors.push(await thrownBy(client({ baseUrl: storage.url, retries: 0 }).upload(jpeg)))
    expect(errors.at(-1)?.message).toMatch(/^PUT http:.*\/put was answered with 403 .*AccessDenied No/)
    await storage.close()
    for (const error of errors) {
      expect(isKinoraError(error)).toBe(true)
      expect(text(error)).not.toContain(apiKey)
      expect(text(error)).not.toContain('signed')
    }
    expect(text(kinora)).not.toContain(apiKey)
    expect((await thrownBy(Promise.resolve().then(() => client({ apiKey: `${apiKey}\n` })))).message).not.toContain(
      apiKey,
    )
  })
})

describe('time limits', () => {
  test('an attempt that hangs is given up and tried again', async () => {
    served.mock.failNext({ kind: 'hang' })
    await expect(client({ timeout: 100 }).page()).resolves.toMatchObject({ jobs: [] })
    expect(paths()).toHaveLength(2)
  })

  test('a body that never ends counts too', async () => {
    const slow = await serve((_request, response) => void response.writeHead(200).write('{"jobs":'))
    const error = await thrownBy(client({ baseUrl: slow.url, timeout: 60, retries: 1 }).page())
    expect(isTimeoutError(error)).toBe(true)
    await slow.close()
  })

  test('a body that breaks off is tried again', async () => {
    let count = 0
    const flaky = await serve((_request, response) => {
      if (++count === 1) {
        response.writeHead(200, { 'content-length': '100' }).write('{"jobs":')
        setImmediate(() => response.destroy())
      } else response.end(JSON.stringify(fixtures['job-list'].value))
    })
    await expect(client({ baseUrl: flaky.url }).page()).resolves.toEqual(fixtures['job-list'].value)
    await flaky.close()
  })

  test('all attempts together have a limit, and the key is not lost', async () => {
    served.mock.failNext({ kind: 'hang', path: '/generate', times: 99 })
    const start = performance.now()
    const error = await thrownBy(
      client({ timeout: 80, totalTimeout: 300, retries: 99 }).generate({
        image_url: 'https://photos.example.com/a.jpg',
      }),
    )
    expect(performance.now() - start).toBeLessThan(1500)
    expect(isTimeoutError(error) && error.idempotencyKey).toBe(served.mock.requests[0]?.headers.get('idempotency-key'))
  })

  test('a wait that times out has the job, which goes on', async () => {
    const job = await kinora.generate({ image: jpeg })
    served.mock.advance(job.job_id)
    const error = await thrownBy(kinora.wait(job.job_id, { timeout: 100 }))
    expect(isTimeoutError(error)).toBe(true)
    expect(error).toMatchObject({ jobId: job.job_id, job: { status: 'processing', progress: 5 } })
    expect(error.message).toMatch(/processing, 5 %\). It goes on: call wait again/)
    await soon(() => expect(served.mock.openStreams).toBe(0))
    served.mock.complete(job.job_id)
    await expect(kinora.wait(job.job_id)).resolves.toMatchObject({ status: 'completed' })
  })
})

describe('aborting', () => {
  const stop = new Error('The user left the page.')

  test('before, during a request, and between attempts: the reason is what is thrown', async () => {
    const aborted = AbortSignal.abort(stop)
    await expect(kinora.page({ signal: aborted })).rejects.toBe(stop)
    expect(paths()).toEqual([])

    served.mock.failNext({ kind: 'hang' })
    const during = new AbortController()
    const hanging = kinora.page({ signal: during.signal })
    await soon(() => expect(paths()).toHaveLength(1))
    during.abort(stop)
    await expect(hanging).rejects.toBe(stop)

    served.mock.failNext({ status: 503, retryAfter: 60 })
    const between = new AbortController()
    const waiting = kinora.page({ signal: between.signal })
    await soon(() => expect(paths()).toHaveLength(2))
    between.abort(stop)
    await expect(waiting).rejects.toBe(stop)
  })

  test('inside wait, stream and an upload', async () => {
    const { job_id } = await kinora.generate({ image: jpeg })
    const controller = new AbortController()
    const waiting = kinora.wait(job_id, { signal: controller.signal })
    await soon(() => expect(served.mock.openStreams).toBe(1))
    controller.abort(stop)
    await expect(waiting).rejects.toBe(stop)
    await soon(() => expect(served.mock.openStreams).toBe(0))

    const endless = new ReadableStream<Uint8Array>({ start: (c) => c.enqueue(jpeg) })
    const uploading = new AbortController()
    const promise = kinora.generate({ image: endless }, { signal: uploading.signal })
    uploading.abort(stop)
    await expect(promise).rejects.toBe(stop)
  })

  test('leaves no listener on a signal that lives long', async () => {
    const { signal } = new AbortController()
    const added = vi.spyOn(signal, 'addEventListener')
    const removed = vi.spyOn(signal, 'removeEventListener')
    const { job_id } = await kinora.generate({ image: jpeg }, { signal })
    served.mock.complete(job_id)
    await kinora.wait(job_id, { signal })
    for await (const _job of kinora.stream(job_id, { signal })) break
    await kinora.page({ signal })
    const listeners = added.mock.calls.filter(
      ([, listener]) => !removed.mock.calls.some((call) => call[1] === listener),
    )
    expect(listeners).toEqual([])
  })
})

describe('lists', () => {
  test('run over all pages, newest first, and ask for a page only when it is needed', async () => {
    for (let count = 0; count < 5; count++)
      await kinora.generate({ image_url: `https://photos.example.com/${count}.jpg` })
    const ids: string[] = []
    for await (const { job_id } of kinora.list({ limit: 2 })) ids.push(job_id)
    expect(ids).toEqual(['job_mock5', 'job_mock4', 'job_mock3', 'job_mock2', 'job_mock1'])
    const before = paths().length
    for await (const _job of kinora.list({ limit: 2 })) break
    expect(paths().length - before).toBe(1)
    const page = await kinora.page({ limit: 2 })
    expect((await kinora.page({ limit: 2, cursor: page.next_cursor ?? '' })).jobs.map(({ job_id }) => job_id)).toEqual(
      ids.slice(2, 4),
    )
  })
})

describe('options', () => {
  test('the key may be a function, asked for each attempt', async () => {
    const keys = ['old', apiKey]
    const rotating = client({ apiKey: () => Promise.resolve(keys.shift() ?? '') })
    served.mock.failNext({ kind: 'network' })
    await expect(rotating.page()).resolves.toMatchObject({ jobs: [] })
    const failing = client({ apiKey: () => Promise.reject(new Error('vault closed')) })
    expect(await thrownBy(failing.page())).toMatchObject({ name: 'InputError', cause: { message: 'vault closed' } })
    expect(paths()).toHaveLength(2)
  })

  test('the host’s own authorisation: headers, cookies, no key', async () => {
    const requests: Request[] = []
    const own = client({
      apiKey: undefined,
      headers: () => ({ 'x-session': 's' }),
      credentials: 'include',
      fetch: async (input) => {
        requests.push(new Request(input))
        return Response.json({ jobs: [], next_cursor: null })
      },
    })
    await own.page()
    expect(requests[0]?.credentials).toBe('include')
    expect(requests[0]?.headers.get('x-session')).toBe('s')
    expect(requests[0]?.headers.has('authorization')).toBe(false)
  })

  test('a server under a prefix, with or without a slash at the end', async () => {
    const urls: string[] = []
    for (const baseUrl of ['https://app.example.com/kinora', 'https://app.example.com/kinora/']) {
      await client({
        baseUrl,
        fetch: async (input) => {
          urls.push(new Request(input).url)
          return Response.json({ jobs: [], next_cursor: null })
        },
      }).page({ limit: 5 })
    }
    expect(new Set(urls)).toEqual(new Set(['https://app.example.com/kinora/api/v1/jobs?limit=5']))
  })

  test.each([
    [{ baseUrl: 'video.example.com' }, /complete URL/],
    [{ baseUrl: 'https://user:pass@video.example.com' }, /without user name/],
    [{ baseUrl: 'ftp://video.example.com' }, /http or https/],
    [{ apiKey: '' }, /apiKey is empty/],
    [{ timeout: 0 }, /timeout must be/],
    [{ totalTimeout: Number.NaN }, /totalTimeout must be/],
  ])('%j is refused', (options, message) => {
    expect(() => client(options)).toThrow(message)
  })
})

test('health is answered also by a server that is not well', async () => {
  const body = { ...readFixture('health'), redis: 'error' }
  const ill = await serve((_request, response) => response.writeHead(503).end(JSON.stringify(body)))
  await expect(client({ baseUrl: ill.url }).health()).resolves.toEqual(body)
  await ill.close()
})

test('the webhook secret is the tenant’s, in the Standard Webhooks form', async () => {
  await expect(kinora.webhookSecret()).resolves.toMatch(/^whsec_/)
})

test('download refuses a job without a video, and passes a range on', async () => {
  const { job_id } = await kinora.generate({ image: jpeg })
  served.mock.complete(job_id)
  const part = await kinora.download(job_id, { headers: { range: 'bytes=4-7' } })
  expect([part.status, await part.text()]).toEqual([206, 'ftyp'])
  const other = await kinora.generate({ image: jpeg })
  await kinora.cancel(other.job_id)
  expect(await thrownBy(kinora.download(other.job_id))).toMatchObject({
    code: 'job_not_completed',
    jobId: other.job_id,
  })
})
