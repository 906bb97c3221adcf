/** The client against the real server, with its embedded queue, over connections that are cut, lost and refused. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ServedKinora, serveKinora } from '@kinora/server'
import { embedded } from '@kinora/server/embedded'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import {
  isApiError,
  isConnectionError,
  isJobCanceledError,
  isJobFailedError,
  isTimeoutError,
  type Job,
  Kinora,
  verifyWebhook,
  type WebhookEvent,
} from '../src/index.ts'
import { downloadTo } from '../src/node.ts'
import { type CutProxy, cutProxy, serve } from './serve.ts'
import { type TestWorker, testWorker, videoOf } from './worker.ts'

/** A real JPEG, 96x64 pixels of one colour. */
const jpeg = Uint8Array.from(
  atob(
    '/9j/2wBDABQODxIPDRQSEBIXFRQYHjIhHhwcHj0sLiQySUBMS0dARkVQWnNiUFVtVkVGZIhlbXd7gYKBTmCNl4x9lnN+gXz/2wBDARUXFx4aHjshITt8U0ZTfHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHx8fHz/wAARCABAAGADASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAH/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/8QAFQEBAQAAAAAAAAAAAAAAAAAAAAT/xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oADAMBAAIRAxEAPwCgIFoAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAD//Z',
  ),
  (character) => character.charCodeAt(0),
)
const video = videoOf(200_000)

const apiKey = 'the-real-key'
const workerToken = 'the-worker-token'

let folder: string
let server: ServedKinora
/** Between client and server, also for the storage's URLs. */
let proxy: CutProxy
let kinora: Kinora
/** Past the proxy. */
let direct: Kinora
let worker: TestWorker

async function start(port = 0): Promise<ServedKinora> {
  return serveKinora({
    port,
    host: '127.0.0.1',
    store: embedded({ dataDir: folder, template: process.env.KINORA_TEST_TEMPLATE }),
    dataDir: folder,
    // Known only once the proxy listens, which needs the server's port first.
    ...(proxy === undefined ? {} : { publicUrl: proxy.url }),
    apiKey,
    workerToken,
    webhookSecret: 'the webhook secret of this server',
    models: ['camera'],
    allowNetworks: ['loopback'],
    logger: pino({ level: 'silent' }),
  })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kinora-sdk-server-'))
  const reserved = await serve(() => {})
  const port = Number(new URL(reserved.url).port)
  await reserved.close()
  proxy = await cutProxy(`http://127.0.0.1:${port}`)
  server = await start(port)
  kinora = new Kinora({ baseUrl: proxy.url, apiKey })
  direct = new Kinora({ baseUrl: server.url, apiKey })
  worker = testWorker(server.url, workerToken)
}, 60_000)

afterAll(async () => {
  await server.close({ graceSeconds: 0 })
  await proxy.close()
  await rm(folder, { recursive: true, force: true })
}, 30_000)

/** Waits until a check holds; generous, for slow machines. */
const soon = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 15_000, interval: 20 })

async function thrownBy(promise: Promise<unknown>): Promise<Error> {
  const outcome: unknown = await promise.then(
    (value: unknown) => new Error(`It was fulfilled with ${JSON.stringify(value)}.`),
    (reason: unknown) => reason,
  )
  if (!(outcome instanceof Error)) throw new TypeError('Something else than an Error was thrown.')
  return outcome
}

function collect(stream: AsyncIterable<Job>): { seen: Job[]; end: Promise<void> } {
  const seen: Job[] = []
  const end = (async () => {
    for await (const job of stream) seen.push(job)
  })()
  return { seen, end }
}

test('a picture becomes a video although every connection is cut on the way', async () => {
  const job = await kinora.generate({ image: jpeg, prompt: 'Slow zoom', duration: 2, model: 'camera' })
  expect(job).toMatchObject({ status: 'queued', prompt: 'Slow zoom', duration: 2, model: 'camera', attempt: 0 })

  const { seen, end } = collect(kinora.stream(job.job_id))
  await soon(() => expect(seen.length).toBeGreaterThan(0))
  const lease = await worker.claim()
  const picture = await fetch(lease.image_url)
  expect(new Uint8Array(await picture.arrayBuffer())).toEqual(jpeg)

  for (const progress of [20, 40, 60]) {
    proxy.cut()
    await worker.heartbeat(lease, progress)
    await soon(() => expect(seen.at(-1)?.progress).toBe(progress))
  }
  proxy.cut()
  await worker.complete(lease, video)
  await end
  const told = seen.map((snapshot) => snapshot.progress ?? 0)
  expect(told).toEqual(told.toSorted((a, b) => a - b))
  expect(seen.at(-1)).toMatchObject({ status: 'completed', progress: 100, attempt: 1 })

  proxy.cutAfter = 90_000
  const path = join(folder, 'video.mp4')
  await expect(downloadTo(kinora, job.job_id, path)).resolves.toEqual({ path, bytes: video.length })
  expect(new Uint8Array(await readFile(path))).toEqual(video)
  proxy.cutAfter = Infinity
  const part = await kinora.download(job.job_id, { headers: { range: 'bytes=100-199' } })
  expect(new Uint8Array(await part.arrayBuffer())).toEqual(video.slice(100, 200))
}, 60_000)

describe('generate', () => {
  test('whose answers are lost makes one video', async () => {
    const before = (await direct.page({ limit: 100 })).jobs.length
    proxy.cutAfter = 0
    const generating = kinora.generate({ image_url: `${proxy.url}/none.jpg`, seed: 7 })
    await soon(async () => expect((await direct.page({ limit: 100 })).jobs.length).toBe(before + 1))
    proxy.cutAfter = Infinity
    const job = await generating
    const { jobs } = await direct.page({ limit: 100 })
    expect([jobs.length, jobs[0]?.job_id]).toEqual([before + 1, job.job_id])
  })

  test('can be repeated with the key that a failure carries, bytes included', async () => {
    proxy.cutAfter = Infinity
    const hasty = new Kinora({
      baseUrl: proxy.url,
      apiKey,
      retries: 0,
      // The answer to generate, and only that, is lost.
      fetch: async (input, init) => {
        const response = await fetch(input, init)
        if (response.url.endsWith('/generate')) throw new TypeError('fetch failed')
        return response
      },
    })
    const error = await thrownBy(hasty.generate({ image: jpeg, duration: 1 }))
    expect(isConnectionError(error)).toBe(true)
    if (!isConnectionError(error)) return
    const job = await kinora.generate({ image: jpeg, duration: 1 }, { idempotencyKey: error.idempotencyKey })
    expect((await direct.page({ limit: 1 })).jobs[0]?.job_id).toBe(job.job_id)
    const other = await thrownBy(
      kinora.generate({ image: jpeg, duration: 2 }, { idempotencyKey: error.idempotencyKey }),
    )
    expect(other).toMatchObject({ status: 422, code: 'idempotency_mismatch' })
    await direct.delete(job.job_id)
  })

  test('is refused with reasons', async () => {
    expect(await thrownBy(kinora.generate({ image: jpeg, width: 1000 }))).toMatchObject({
      code: 'invalid_request',
      issues: [{ path: 'width', message: 'must be a multiple of 32, such as 992 instead of 1000' }],
    })
    expect(await thrownBy(kinora.generate({ image: jpeg, model: 'sora' }))).toMatchObject({ code: 'unknown_model' })
    expect(await thrownBy(kinora.generate({ upload_id: 'upl_none' }))).toMatchObject({ code: 'upload_not_found' })
    const stranger = new Kinora({ baseUrl: server.url, apiKey: 'wrong' })
    const refused = await thrownBy(stranger.page())
    expect(isApiError(refused) && [refused.status, refused.code, typeof refused.requestId]).toEqual([
      401,
      'unauthorized',
      'string',
    ])
  })
})

describe('how jobs end badly', () => {
  test('a failure carries the worker’s words', async () => {
    const job = await kinora.generate({ upload_id: (await kinora.upload(jpeg)).upload_id })
    const waiting = thrownBy(kinora.wait(job.job_id))
    await worker.fail(await claimFor(job.job_id), 'The GPU is on fire.', 'engine_error')
    const error = await waiting
    expect(isJobFailedError(error) && error.job).toMatchObject({
      status: 'failed',
      error_message: 'The GPU is on fire.',
    })
  })

  test('a picture that is not there fails the job', async () => {
    const nothing = await serve((_request, response) => response.writeHead(404).end())
    const job = await kinora.generate({ image: `${nothing.url}/cat.jpg` })
    const error = await thrownBy(kinora.wait(job.job_id))
    expect(isJobFailedError(error) && error.code).toBe('image_unreachable')
    await nothing.close()
  })

  test('cancel shows at once, also to those who wait', async () => {
    const job = await kinora.generate({ image: jpeg })
    const waiting = thrownBy(kinora.wait(job.job_id))
    await expect(kinora.cancel(job.job_id)).resolves.toMatchObject({ status: 'canceled' })
    expect(isJobCanceledError(await waiting)).toBe(true)
    await expect(kinora.cancel(job.job_id)).resolves.toMatchObject({ status: 'canceled' })
    expect(await thrownBy(kinora.download(job.job_id))).toMatchObject({ code: 'job_not_completed' })
  })

  test('a deleted job is gone, also for those who watch', async () => {
    const job = await kinora.generate({ image: jpeg })
    const { seen, end } = collect(kinora.stream(job.job_id))
    await soon(() => expect(seen.length).toBe(1))
    await kinora.delete(job.job_id)
    await end.catch((error: unknown) => expect(isApiError(error) && error.code).toBe('job_not_found'))
    expect(await thrownBy(kinora.status(job.job_id))).toMatchObject({ code: 'job_not_found', jobId: job.job_id })
  })
})

/** The test's own job: others that wait in the queue are failed on the way. */
async function claimFor(jobId: string) {
  for (;;) {
    const lease = await worker.claim()
    if (lease.job_id === jobId) return lease
    await worker.fail(lease, 'Not the job of this test.', 'engine_error')
  }
}

test('a wait outlives a restart of the server', async () => {
  const job = await kinora.generate({ image: jpeg })
  const snapshots: Job[] = []
  const waiting = kinora.wait(job.job_id, { onProgress: (snapshot) => void snapshots.push(snapshot) })
  await soon(() => expect(snapshots.length).toBe(1))
  await server.close({ graceSeconds: 0 })
  server = await start(server.port)
  await worker.complete(await claimFor(job.job_id), video)
  await expect(waiting).resolves.toMatchObject({ status: 'completed' })
}, 60_000)

test('aborting ends a wait at once, and a wait that times out loses nothing', async () => {
  const job = await kinora.generate({ image: jpeg })
  const controller = new AbortController()
  const waiting = kinora.wait(job.job_id, { signal: controller.signal })
  const stop = new Error('The user left.')
  setImmediate(() => controller.abort(stop))
  await expect(waiting).rejects.toBe(stop)
  const error = await thrownBy(kinora.wait(job.job_id, { timeout: 300 }))
  expect(isTimeoutError(error) && error.jobId).toBe(job.job_id)
  await worker.complete(await claimFor(job.job_id), video)
  await expect(kinora.wait(job.job_id)).resolves.toMatchObject({ job_id: job.job_id })
})

test('a proxy that holds the stream back is polled around', async () => {
  const job = await kinora.generate({ image: jpeg })
  let silent = 0
  const held = new Kinora({
    baseUrl: proxy.url,
    apiKey,
    fetch: async (input, init) => {
      const response = await fetch(input, init)
      if (!response.url.endsWith('/events')) return response
      silent++
      // Headers come, but nothing of the body.
      return new Response(new ReadableStream({ cancel: () => response.body?.cancel() }), { headers: response.headers })
    },
  })
  const { seen, end } = collect(held.stream(job.job_id, { silence: 50, pollInterval: 20 }))
  await soon(() => expect(seen.length).toBe(1))
  await worker.complete(await claimFor(job.job_id), video)
  await end
  expect([silent, seen.at(-1)?.status]).toEqual([1, 'completed'])
})

test('lists run over pages, newest first', async () => {
  const all: Job[] = []
  for await (const job of kinora.list({ limit: 2 })) all.push(job)
  expect(all.length).toBeGreaterThan(5)
  expect(new Set(all.map(({ job_id }) => job_id)).size).toBe(all.length)
  const made = all.map(({ created_at }) => created_at)
  expect(made).toEqual(made.toSorted().toReversed())
})

test('the tenant’s events show jobs of others’ making', async () => {
  const controller = new AbortController()
  const { seen, end } = collect(kinora.events({ signal: controller.signal }))
  const job = await direct.generate({ image: jpeg })
  await soon(() => expect(seen.map(({ job_id }) => job_id)).toContain(job.job_id))
  proxy.cut()
  await direct.cancel(job.job_id)
  await soon(() => expect(seen.at(-1)).toMatchObject({ job_id: job.job_id, status: 'canceled' }))
  controller.abort(new Error('enough'))
  await expect(end).rejects.toThrow('enough')
})

test('webhooks verify with the secret that the server tells', async () => {
  const secret = await kinora.webhookSecret()
  const events: WebhookEvent[] = []
  const receiver = await serve(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    try {
      events.push(await verifyWebhook({ headers: request.headers, body: Buffer.concat(chunks), secret }))
      response.writeHead(204).end()
    } catch (error) {
      response.writeHead(401).end(String(error))
    }
  })
  const job = await kinora.generate({ image: jpeg, webhook_url: `${receiver.url}/hook` })
  await worker.complete(await claimFor(job.job_id), video)
  await soon(() => expect(events).toHaveLength(1))
  expect(events[0]).toMatchObject({ type: 'job.completed', status: 'completed', data: { job_id: job.job_id } })
  await soon(async () => expect((await kinora.status(job.job_id)).webhook).toMatchObject({ status: 'delivered' }))
  await receiver.close()
})

test('health tells of queue and backend', async () => {
  await expect(kinora.health()).resolves.toMatchObject({ api: 'ok', redis: 'ok', backend: 'embedded' })
})
