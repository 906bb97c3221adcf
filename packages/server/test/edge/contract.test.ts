/** The original contract, point by point, over HTTP; then what was added to it, and how OpenAPI tells it. */
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Health, Job, JobList, paths, Upload, verifyWebhookSignature } from '@kinora/protocol'
import { Validator } from '@seriousme/openapi-schema-validator'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { API_KEY, openServer, picture, pictureForm, type TestServer, WEBHOOK_SECRET } from './server.ts'

interface Described {
  readonly content: Record<string, { schema: { properties: object; required?: string[] } }>
}

interface Document {
  readonly openapi: string
  readonly paths: Record<
    string,
    Record<string, { operationId: string; responses: Record<string, unknown>; requestBody?: Described }>
  >
}

let server: TestServer
beforeAll(async () => {
  server = await openServer({ allowNetworks: ['loopback'] })
})
afterAll(() => server?.close())

/** An answer's body, whatever of it a test looks at. */
interface Body extends Record<string, unknown> {
  readonly error: string
  readonly code: string
  readonly job_id: string
  readonly result_url: string
  readonly picture_url: string
  readonly images: { image_url: string }[]
  readonly created_at: string
  readonly completed_at: string
  readonly upload_url: string
  readonly download_url: string
  readonly secret: string
  readonly issues: { path: string }[]
}

const json = async (answer: Response | Promise<Response>): Promise<Body> => (await (await answer).json()) as Body

describe('the original contract', () => {
  it('refuses requests without a key, and with a wrong one, in its words', async () => {
    for (const path of [paths.jobs(), paths.job('x'), '/api/v1/presign/download/x', '/api/nothing']) {
      const without = await fetch(server.url + path)
      expect([without.status, (await json(without)).error]).toEqual([401, 'Missing authorization header'])
      const basic = await server.call(path, { headers: { authorization: 'Basic abc' } })
      expect([basic.status, (await json(basic)).error]).toEqual([401, 'Missing authorization header'])
      const wrong = await server.call(path, { headers: { authorization: 'Bearer wrong-key-1' } })
      expect([wrong.status, (await json(wrong)).error]).toEqual([401, 'Invalid API key'])
    }
  })

  it('makes a job from an image_url', async () => {
    const answer = await server.post('/api/v1/generate', { image_url: 'http://127.0.0.1:9/cat.jpg', prompt: 'a cat' })
    expect(answer.status).toBe(201)
    const job = Job.parse(await json(answer))
    expect(job).toMatchObject({ status: 'queued', duration: 5, prompt: 'a cat', model: 'camera' })
    expect(Date.parse(job.created_at)).toBeGreaterThan(Date.now() - 60_000)
    expect(answer.headers.get('location')).toBe(
      `${server.url.replace('127.0.0.1', 'localhost')}/api/v1/jobs/${job.job_id}`,
    )
    await server.call(paths.job(job.job_id), { method: 'DELETE' })
  })

  it.each([
    [{}, 'image_url'],
    [{ image_url: 'cat.jpg' }, 'image_url'],
    [{ image_url: 'ftp://example.com/cat.jpg' }, 'image_url'],
    [{ image_url: 'https://example.com/cat.jpg', duration: 0 }, 'duration'],
    [{ image_url: 'https://example.com/cat.jpg', duration: 11 }, 'duration'],
    [{ image_url: 'https://example.com/cat.jpg', duration: 2.5 }, 'duration'],
    [{ image_url: 'https://example.com/cat.jpg', duration: '5' }, 'duration'],
    [{ image_url: 'https://example.com/cat.jpg', webhook_url: 'nowhere' }, 'webhook_url'],
    [{ image_url: 'https://example.com/cat.jpg', upload_id: 'x' }, 'image_url'],
    [{ image_url: 'https://example.com/cat.jpg', width: 100 }, 'width'],
    [{ image_url: 'https://example.com/cat.jpg', end_image_url: 'ftp://example.com/end.jpg' }, 'end_image_url'],
    [{ images: [{ image_url: 'https://example.com/cat.jpg', at: 'end' }] }, 'images'],
    [
      {
        fps: 24,
        duration: 5,
        images: [
          { image_url: 'https://example.com/a.jpg', frame: 0 },
          { image_url: 'https://example.com/b.jpg', frame: 120 },
          { image_url: 'https://example.com/c.jpg', at: 'end' },
        ],
      },
      'images.2',
    ],
    [
      {
        model: 'ltx-video',
        images: [
          { image_url: 'https://example.com/a.jpg', frame: 0 },
          { upload_id: 'none', at: 'end' },
        ],
      },
      'images.1.upload_id',
      'upload_not_found',
    ],
    [
      { image_url: 'https://example.com/cat.jpg', end_upload_id: 'none', model: 'ltx-video' },
      'end_upload_id',
      'upload_not_found',
    ],
  ])('refuses %j', async (body: object, path: string, code = 'invalid_request') => {
    const answer = await server.post('/api/v1/generate', body)
    expect(answer.status).toBe(400)
    const error = await json(answer)
    expect(error).toMatchObject({ error: expect.any(String), code })
    expect(error.issues.map((issue: { path: string }) => issue.path)).toContain(path)
  })

  it('takes first and last picture from a form, and says of the job where they are', async () => {
    const body = await pictureForm({ model: 'ltx-video', metadata: '{"order":7}' })
    body.set('end_image', new File([await picture()], 'end.jpg', { type: 'image/jpeg' }))
    const answer = await server.call('/api/v1/generate', { method: 'POST', body })
    expect(answer.status).toBe(201)
    const job = await json(answer)
    expect(job).toMatchObject({
      metadata: { order: 7 },
      images: [
        { at: 'start', strength: 1 },
        { at: 'end', strength: 1 },
      ],
    })
    const last = job.images[1]?.image_url ?? ''
    for (const url of [job.picture_url, last]) {
      const got = await fetch(url)
      expect([got.status, got.headers.get('content-type')]).toEqual([200, 'image/jpeg'])
      expect(Buffer.from(await got.arrayBuffer()).equals(await picture())).toBe(true)
    }
    await server.call(paths.job(job.job_id), { method: 'DELETE' })
    expect((await fetch(last)).status).toBe(404)
  })

  it.each([
    [{ end_image_url: 'https://example.com/end.jpg' }, 'end_image'],
    [{ images: '[{"image_url":"https://example.com/a.jpg","frame":0}]' }, 'image'],
    [{ image_url: 'https://example.com/a.jpg' }, 'image'],
    [{ metadata: '{"order":' }, 'metadata'],
  ])('refuses a form that says one thing twice, or badly: %j', async (fields, path) => {
    const body = await pictureForm(fields)
    body.set('end_image', new File([await picture()], 'end.jpg', { type: 'image/jpeg' }))
    const answer = await server.call('/api/v1/generate', { method: 'POST', body })
    expect([answer.status, (await json(answer)).issues]).toMatchObject([400, [{ path }]])
  })

  it('refuses what a model is known not to do, names those that may, and tells it in the list of models', async () => {
    const models = async () => (await json(server.call(paths.models())))['models']
    const end = { image_url: 'https://example.com/a.jpg', end_image_url: 'https://example.com/b.jpg' }
    const refused = await server.post('/api/v1/generate', { ...end, model: 'camera' })
    expect([refused.status, await json(refused)]).toMatchObject([
      400,
      {
        code: 'invalid_request',
        error: expect.stringMatching(/camera takes one picture.*ltx-video/),
        issues: [{ path: 'end_image_url' }],
      },
    ])
    const limits = { max_duration: 10, size_step: 32 }
    expect(await models()).toMatchObject([
      { model: 'camera', abilities: { images: false }, limits },
      { model: 'ltx-video', limits },
    ])

    const abilities = { images: false, max_duration: 4, size_step: 64 }
    await server.asWorker(paths.leases(), { model: 'ltx-video', worker: 'test', wait: 0, abilities })
    expect(await models()).toMatchObject([
      {},
      { model: 'ltx-video', available: true, abilities, limits: { max_duration: 4, size_step: 64 } },
    ])
    for (const [fields, path] of [
      [end, 'end_image_url'],
      [{ image_url: end.image_url, duration: 5 }, 'duration'],
      [{ image_url: end.image_url, duration: 4, width: 96, height: 64 }, 'width'],
    ] as const) {
      const answer = await server.post('/api/v1/generate', { duration: 4, ...fields, model: 'ltx-video' })
      expect([answer.status, await json(answer)]).toMatchObject([400, { issues: [{ path }] }])
    }
    // Back to a checkpoint that takes them, for the tests that follow.
    await server.asWorker(paths.leases(), { model: 'ltx-video', worker: 'test', wait: 0, abilities: { images: true } })
  })

  it('refuses what is not JSON, and what is too much of it', async () => {
    const headers = { 'content-type': 'application/json' }
    const broken = await server.call('/api/v1/generate', { method: 'POST', headers, body: '{"image_url":' })
    expect([broken.status, (await json(broken)).code]).toEqual([400, 'invalid_request'])
    const large = await server.post('/api/v1/uploads', { content_type: 'x'.repeat(300_000) })
    expect([large.status, (await json(large)).code]).toEqual([413, 'payload_too_large'])
  })

  it('answers a job, its video by presigned URL, and 404 for an unknown one', async () => {
    const made = await server.generate()
    expect((await json(server.call(paths.job(made.job_id)))).status).toBe('queued')
    const early = await server.call(`/api/v1/presign/download/${made.job_id}`)
    expect([early.status, (await json(early)).code]).toEqual([409, 'job_not_completed'])

    await server.finishNext()
    const done = await json(server.call(paths.job(made.job_id)))
    expect(done).toMatchObject({ status: 'completed', progress: 100, result_url: expect.stringContaining('/outputs/') })
    expect(Date.parse(done.completed_at)).toBeGreaterThanOrEqual(Date.parse(done.created_at))
    const video = await fetch(done.result_url)
    expect([video.status, video.headers.get('content-type')]).toEqual([200, 'video/mp4'])
    await video.text()

    const presigned = await json(server.call(`/api/v1/presign/download/${made.job_id}`))
    expect(presigned).toEqual({ download_url: expect.any(String), expires_in: 86_400 })
    expect((await fetch(presigned.download_url, { method: 'HEAD' })).status).toBe(200)

    const unknown = await server.call('/api/v1/jobs/none')
    expect([unknown.status, (await json(unknown)).error]).toEqual([404, 'Job not found'])
    expect((await server.call('/api/v1/presign/download/none')).status).toBe(404)
  })

  it('presigns an upload under an id of the caller, which a job can then name', async () => {
    const presigned = await json(server.post('/api/v1/presign/upload', { job_id: 'my-photo' }))
    expect(presigned).toEqual({ upload_url: expect.any(String), expires_in: 3600 })
    const body = new Uint8Array(await picture())
    const put = await fetch(presigned.upload_url, { method: 'PUT', headers: { 'content-type': 'image/jpeg' }, body })
    expect(put.status).toBe(200)
    const job = await server.post('/api/v1/generate', { upload_id: 'my-photo' })
    expect(job.status).toBe(201)
    await server.call(paths.job((await json(job)).job_id), { method: 'DELETE' })

    for (const bad of [{}, { job_id: '../x' }, { job_id: 'x', content_type: 'text/html' }]) {
      expect((await server.post('/api/v1/presign/upload', bad)).status).toBe(400)
    }
  })

  it('takes a result from outside by the webhook secret', async () => {
    const made = await server.generate()
    const report = (body: object, secret?: string) =>
      fetch(`${server.url}/webhook/complete`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...(secret ? { 'X-Webhook-Secret': secret } : {}) },
        body: JSON.stringify(body),
      })
    const result = { job_id: made.job_id, status: 'completed', video_url: 'https://cdn.example.com/v.mp4' }
    for (const secret of [undefined, 'wrong']) {
      const refused = await report(result, secret)
      expect([refused.status, (await json(refused)).error]).toEqual([401, 'Unauthorized'])
    }
    expect((await report({ ...result, job_id: 'none' }, WEBHOOK_SECRET)).status).toBe(404)
    expect((await report({ job_id: made.job_id }, WEBHOOK_SECRET)).status).toBe(400)
    const taken = await report(result, WEBHOOK_SECRET)
    expect([taken.status, await json(taken)]).toEqual([200, { success: true }])
    expect(await json(server.call(paths.job(made.job_id)))).toMatchObject({
      status: 'completed',
      result_url: 'https://cdn.example.com/v.mp4',
    })
  })

  it('sends a webhook, signed and with the original header', async () => {
    const received: { headers: IncomingMessage['headers']; body: string }[] = []
    const receiver = createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8').on('data', (text: string) => (body += text))
      request.on('end', () => {
        received.push({ headers: request.headers, body })
        response.end()
      })
    })
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
    const webhook_url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`
    const made = await server.call(paths.generate(), { method: 'POST', body: await pictureForm({ webhook_url }) })
    const { job_id } = await json(made)
    await server.finishNext()
    await vi.waitFor(() => expect(received).toHaveLength(1), { timeout: 10_000 })
    receiver.close()

    const { headers, body } = received[0]!
    expect(headers['x-webhook-secret']).toBe(WEBHOOK_SECRET)
    expect(JSON.parse(body)).toMatchObject({
      job_id,
      status: 'completed',
      video_url: expect.any(String),
      type: 'job.completed',
    })
    const { secret } = await json(server.call(paths.webhookSecret()))
    await expect(verifyWebhookSignature({ headers, body, secret })).resolves.toMatchObject({ id: expect.any(String) })
  })

  it('answers /health without a key', async () => {
    const answer = await fetch(`${server.url}/health`)
    expect(answer.status).toBe(200)
    expect(Health.parse(await json(answer))).toMatchObject({
      api: 'ok',
      redis: 'ok',
      queue: { pending: expect.any(Number) },
    })
  })

  it('answers an unknown route with 404', async () => {
    const answer = await fetch(`${server.url}/nothing/here`)
    expect([answer.status, (await json(answer)).error]).toEqual([404, 'Not found'])
    const inside = await server.call('/api/v1/nothing')
    expect([inside.status, (await json(inside)).error]).toEqual([404, 'Not found'])
  })

  it('has CORS on', async () => {
    const origin = { origin: 'https://app.example.com' }
    const preflight = await fetch(server.url + paths.generate(), {
      method: 'OPTIONS',
      headers: {
        ...origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    })
    expect(preflight.status).toBe(204)
    expect(preflight.headers.get('access-control-allow-origin')).toBe('*')
    expect(preflight.headers.get('access-control-allow-headers')).toContain('authorization')
    for (const path of ['/health', '/nothing', paths.jobs()]) {
      expect((await fetch(server.url + path, { headers: origin })).headers.get('access-control-allow-origin')).toBe('*')
    }
  })
})

describe('what was added', () => {
  it('takes a photo in a form, and every field as text', async () => {
    const fields = { prompt: 'slow pan', duration: '3', seed: '7', width: '512', height: '288', fps: '24', steps: '' }
    const answer = await server.call(paths.generate(), { method: 'POST', body: await pictureForm(fields) })
    expect(answer.status).toBe(201)
    const job = Job.parse(await json(answer))
    expect(job).toMatchObject({ prompt: 'slow pan', duration: 3, seed: 7, width: 512, height: 288, fps: 24 })
    await server.call(paths.job(job.job_id), { method: 'DELETE' })
  })

  it('says what is wrong with a form', async () => {
    const send = async (change: (form: FormData) => void) => {
      const form = await pictureForm()
      change(form)
      const answer = await server.call(paths.generate(), { method: 'POST', body: form })
      return [answer.status, (await json(answer)).error]
    }
    expect(await send((form) => form.set('duration', 'long'))).toEqual([
      400,
      expect.stringMatching(/duration .*"long"/),
    ])
    expect(await send((form) => form.set('image', new File(['<svg/>'], 'x.svg')))).toEqual([
      400,
      expect.stringMatching(/SVG/),
    ])
    expect(await send((form) => form.set('image', 'text'))).toEqual([400, expect.stringMatching(/has to be a file/)])
    expect(await send((form) => form.set('image_url', 'https://example.com/x'))).toEqual([
      400,
      expect.stringMatching(/only one/),
    ])
    expect(await send((form) => form.delete('image'))).toEqual([400, expect.stringMatching(/give the picture/)])
    const huge = new File([new Uint8Array(22 * 1024 * 1024)], 'huge.jpg')
    expect(await send((form) => form.set('image', huge))).toEqual([413, expect.any(String)])
  })

  it('makes one job of a request that is repeated under one key', async () => {
    const body = { image_url: 'http://127.0.0.1:9/cat.jpg', prompt: 'once' }
    const key = { 'idempotency-key': 'only-once' }
    const [first, second] = [
      await server.post(paths.generate(), body, key),
      await server.post(paths.generate(), body, key),
    ]
    expect([first.status, second.status]).toEqual([201, 201])
    expect([first.headers.get('idempotent-replayed'), second.headers.get('idempotent-replayed')]).toEqual([
      null,
      'true',
    ])
    const { job_id } = await json(first)
    expect((await json(second)).job_id).toBe(job_id)
    const other = await server.post(paths.generate(), { ...body, prompt: 'twice' }, key)
    expect([other.status, (await json(other)).code]).toEqual([422, 'idempotency_mismatch'])
    const long = await server.post(paths.generate(), body, { 'idempotency-key': 'x'.repeat(256) })
    expect(long.status).toBe(400)
    await server.call(paths.job(job_id), { method: 'DELETE' })
  })

  it('gives a place for an upload that takes the picture with the headers it names', async () => {
    const body = new Uint8Array(await picture())
    const answer = await server.post(paths.uploads(), { content_type: 'image/jpeg', content_length: body.byteLength })
    expect(answer.status).toBe(201)
    const upload = Upload.parse(await json(answer))
    const short = await fetch(upload.upload_url, { method: 'PUT', headers: upload.headers, body: body.slice(1) })
    expect(short.status).toBe(400)
    const put = await fetch(upload.upload_url, { method: upload.method, headers: upload.headers, body })
    expect(put.status).toBe(200)
    const job = await server.post(paths.generate(), { upload_id: upload.upload_id })
    expect(job.status).toBe(201)
    await server.call(paths.job((await json(job)).job_id), { method: 'DELETE' })
    const missing = await server.post(paths.generate(), { upload_id: 'never-made' })
    expect([missing.status, (await json(missing)).code]).toEqual([400, 'upload_not_found'])
  })

  it('lists, cancels and removes', async () => {
    const made = [await server.generate(), await server.generate(), await server.generate()]
    const [first, second, third] = made.map((job) => job.job_id)
    const page = JobList.parse(await json(server.call(`${paths.jobs()}?limit=2`)))
    expect(page.jobs.map((job) => job.job_id)).toEqual([third, second])
    const next = JobList.parse(await json(server.call(`${paths.jobs()}?limit=1&cursor=${page.next_cursor}`)))
    expect(next.jobs[0]?.job_id).toBe(first)
    for (const query of ['limit=0', 'limit=101', 'limit=x', 'cursor=nonsense']) {
      expect((await server.call(`${paths.jobs()}?${query}`)).status).toBe(400)
    }

    const canceled = await server.call(paths.cancel(first!), { method: 'POST' })
    expect([canceled.status, (await json(canceled)).status]).toEqual([200, 'canceled'])
    for (const id of [first, second, third]) {
      const removed = await server.call(paths.job(id!), { method: 'DELETE' })
      expect([removed.status, await removed.text()]).toEqual([204, ''])
      expect((await server.call(paths.job(id!))).status).toBe(404)
    }
    expect((await server.call(paths.cancel('none'), { method: 'POST' })).status).toBe(404)
  })

  it('leads to the video, and refuses before there is one', async () => {
    const made = await server.generate()
    expect((await server.call(paths.video(made.job_id))).status).toBe(409)
    await server.finishNext()
    const leads = await server.call(paths.video(made.job_id))
    expect(leads.status).toBe(302)
    const video = await fetch(leads.headers.get('location')!)
    expect(video.headers.get('content-type')).toBe('video/mp4')
    await video.text()
  })

  it('lets workers in by their token only', async () => {
    const claim = { model: 'camera', worker: 'test', wait: 0 }
    const byKey = await server.post(paths.leases(), claim)
    expect([byKey.status, (await json(byKey)).error]).toEqual([401, 'Invalid worker token'])
    expect((await server.asWorker(paths.leases(), claim)).status).toBe(204)
    expect((await server.asWorker(paths.leases(), { ...claim, model: 'sora' })).status).toBe(400)
    expect((await server.asWorker(paths.leases(), { ...claim, wait: 26 })).status).toBe(400)
    for (const id of ['0', 'nonsense', crypto.randomUUID()]) {
      const lost = await server.asWorker(paths.heartbeat(id), { progress: 1, stage: 'fetching' })
      expect([lost.status, (await json(lost)).code]).toEqual([409, 'lease_lost'])
    }
  })

  it('names every answer, and keeps a caller’s name for it', async () => {
    const own = await fetch(`${server.url}/health`, { headers: { 'x-request-id': 'trace-42' } })
    expect(own.headers.get('x-request-id')).toBe('trace-42')
    const odd = await server.call('/api/v1/jobs/none', { headers: { 'x-request-id': 'has spaces "and quotes"' } })
    const { request_id } = await json(odd)
    expect(request_id).toMatch(/^[0-9a-f-]{36}$/)
    expect(odd.headers.get('x-request-id')).toBe(request_id)
  })

  it('writes no secret into its log', async () => {
    const log = server.logs.join('\n')
    expect(log).toContain('"route":"/api/v1/jobs/:jobId"')
    const secrets = [API_KEY, WEBHOOK_SECRET, 'token-of-the-workers', 'signature=', 'whsec_']
    expect(secrets.filter((secret) => log.includes(secret))).toEqual([])
  })
})

describe('the OpenAPI document', () => {
  let document: Document
  beforeAll(async () => {
    document = (await (await fetch(server.url + paths.openapi())).json()) as Document
  })

  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator()
    const result = await validator.validate({ ...structuredClone(document) })
    expect(result.errors ?? []).toEqual([])
    expect([result.valid, validator.version]).toEqual([true, '3.1'])
  })

  it('has every path of the protocol', () => {
    const patterns = Object.keys(document.paths).map((path) => path.replace(/\{\w+\}/g, 'ID'))
    for (const path of Object.values(paths)) {
      const written = path('ID')
      if (written !== paths.openapi()) expect(patterns).toContain(written)
    }
  })

  it('describes requests and answers by the protocol’s own schemas', () => {
    const { post } = document.paths['/api/v1/generate']!
    const { schema } = post!.requestBody!.content['application/json']!
    expect(Object.keys(schema.properties)).toEqual(
      expect.arrayContaining(['image_url', 'upload_id', 'duration', 'seed']),
    )
    expect(schema.required ?? []).not.toContain('duration')
    expect(Object.keys(post!.responses)).toEqual(expect.arrayContaining(['201', '400', '401', '413', '422', '503']))
    expect(Object.keys(post!.requestBody!.content)).toContain('multipart/form-data')
  })

  it('says the package’s version', async () => {
    const manifest = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
    expect(document).toMatchObject({ info: { version: manifest.version } })
  })
})
