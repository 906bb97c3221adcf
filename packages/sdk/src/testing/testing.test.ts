/** The mock as an app's own tests use it. */
import { setupServer } from 'msw/node'
import { http, HttpResponse } from 'msw'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { fixtures, readFixture } from '@kinora/protocol/fixtures'
import { GenerateRequest, Job, JobList, paths, Upload, WebhookPayload } from '@kinora/protocol'
import { type GenerateInput, Kinora } from '../kinora.ts'
import { verifyWebhook, type WebhookEvent } from '../webhook.ts'
import { mockKinora } from './index.ts'

const mock = mockKinora({ apiKey: 'test', webhookSecret: 'shh' })
const manual = mockKinora({ baseUrl: 'http://manual.test', stepInterval: false })
const received: WebhookEvent[] = []
const server = setupServer(
  ...mock.handlers,
  ...manual.handlers,
  http.post('http://app.test/hook', async ({ request }) => {
    received.push(await verifyWebhook({ request, secret: 'shh' }))
    return new HttpResponse()
  }),
)
beforeAll(() => server.listen({ onUnhandledRequest: 'error' }))
afterEach(() => {
  mock.reset()
  manual.reset()
  received.length = 0
})
afterAll(() => server.close())

const kinora = new Kinora({ baseUrl: mock.baseUrl, apiKey: 'test' })
const byHand = new Kinora({ baseUrl: manual.baseUrl })
const image_url = 'https://photos.test/cat.jpg'
const jpeg = new Uint8Array([0xff, 0xd8, 0xff, 1])

function call(method: string, path: string, body?: unknown, headers: HeadersInit = { authorization: 'Bearer test' }) {
  return fetch(mock.baseUrl + path, { method, headers, body: body === undefined ? null : JSON.stringify(body) })
}

/** Uploads a picture under a name of one's own. */
async function bring(job_id: string): Promise<void> {
  const named = await call('POST', paths.presignUpload(), { job_id, content_type: 'image/jpeg' })
  const { upload_url } = (await named.json()) as { upload_url: string }
  await fetch(upload_url, { method: 'PUT', body: jpeg, headers: { 'content-type': 'image/jpeg' } })
}

test('a job runs by itself to its end', async () => {
  const { job_id } = await kinora.generate({ image: jpeg })
  await expect(kinora.wait(job_id)).resolves.toMatchObject({ status: 'completed', num_frames: 121 })
})

test('or by hand, step by step', async () => {
  const { job_id } = await byHand.generate({ image_url })
  const stages = Array.from({ length: 6 }, () => manual.advance(job_id)).map(
    ({ stage, progress }) => `${stage} ${progress}`,
  )
  expect(stages).toEqual([
    'fetching 5',
    'generating 10',
    'generating 50',
    'generating 90',
    'uploading 95',
    'uploading 100',
  ])
  expect(manual.job(job_id)?.status).toBe('completed')
  expect(manual.fail(job_id, 'too late').status).toBe('completed')
})

test('it ends as the test says', async () => {
  const failing = mockKinora({ baseUrl: 'http://failing.test', outcome: () => ({ error_message: 'No cat in it' }) })
  server.use(...failing.handlers)
  const client = new Kinora({ baseUrl: failing.baseUrl })
  const { job_id } = await client.generate({ image_url })
  await expect(client.wait(job_id)).rejects.toThrow('No cat in it')
})

describe('it speaks the protocol', () => {
  test('its messages are the protocol’s, and it takes the protocol’s requests', async () => {
    for (const { schema, value } of Object.values(fixtures)) {
      if (schema !== GenerateRequest || 'upload_id' in (value as object)) continue
      for (const { upload_id } of GenerateRequest.parse(value).images ?? []) if (upload_id) await bring(upload_id)
      const answer = await call('POST', paths.generate(), { ...(value as object), webhook_url: undefined })
      expect(answer.status).toBe(201)
      const { job_id } = Job.parse(await answer.json())
      await vi.waitFor(() => expect(mock.job(job_id)?.status).toBe('completed'))
      Job.parse(await (await call('GET', paths.job(job_id))).json())
    }
    JobList.parse(await (await call('GET', paths.jobs())).json())
    Upload.parse(await (await call('POST', paths.uploads(), readFixture('upload-request'))).json())
  })

  test('it refuses as the original contract does', async () => {
    const refusal = async (response: Promise<Response>) => [(await response).status, await (await response).json()]
    expect(await refusal(call('GET', paths.jobs(), undefined, {}))).toMatchObject([
      401,
      { error: 'Missing authorization header' },
    ])
    expect(await refusal(call('GET', paths.jobs(), undefined, { authorization: 'Bearer x' }))).toMatchObject([
      401,
      { error: 'Invalid API key' },
    ])
    expect(await refusal(call('GET', paths.job('none')))).toMatchObject([404, { error: 'Job not found' }])
    expect(await refusal(call('GET', '/api/v1/else'))).toMatchObject([404, { error: 'Not found' }])
    expect(await refusal(call('POST', paths.generate(), {}))).toMatchObject([400, { code: 'invalid_request' }])
    expect(await refusal(call('POST', paths.generate(), { image_url, model: 'sora' }))).toMatchObject([
      400,
      { code: 'unknown_model' },
    ])
    expect(await refusal(call('POST', paths.generate(), { upload_id: 'upl_x' }))).toMatchObject([
      400,
      { code: 'upload_not_found' },
    ])
    expect(await refusal(call('GET', `${paths.jobs()}?limit=101`))).toMatchObject([400, { code: 'invalid_request' }])
  })

  test('it takes a form with a file', async () => {
    const form = new FormData()
    form.set('image', new Blob([jpeg], { type: 'image/jpeg' }), 'cat.jpg')
    form.set('prompt', '42')
    form.set('duration', '2')
    const headers = { authorization: 'Bearer test' }
    const answer = await fetch(mock.baseUrl + paths.generate(), { method: 'POST', body: form, headers })
    expect(Job.parse(await answer.json())).toMatchObject({ prompt: '42', duration: 2 })
  })

  test('a form may bring the last picture and metadata', async () => {
    const form = new FormData()
    form.set('image', new Blob([jpeg], { type: 'image/jpeg' }), 'cat.jpg')
    form.set('end_image', new Blob([jpeg], { type: 'image/jpeg' }), 'dog.jpg')
    form.set('metadata', '{"order":7}')
    const headers = { authorization: 'Bearer test' }
    const answer = await fetch(mock.baseUrl + paths.generate(), { method: 'POST', body: form, headers })
    const job = Job.parse(await answer.json())
    expect(job).toMatchObject({ metadata: { order: 7 }, images: [{ at: 'start' }, { at: 'end' }] })
    expect(mock.uploads.size).toBe(2)
    const picture = await fetch(job.picture_url!)
    expect(new Uint8Array(await picture.arrayBuffer())).toEqual(jpeg)
  })

  test('its storage refuses what was not signed', async () => {
    const answer = await call('POST', paths.uploads(), { content_type: 'image/png', content_length: 4 })
    const { upload_url } = Upload.parse(await answer.json())
    const put = async (url: string, type: string, body: Uint8Array<ArrayBuffer>) =>
      (await fetch(url, { method: 'PUT', body, headers: { 'content-type': type } })).status
    expect(await put(upload_url, 'image/jpeg', jpeg)).toBe(403)
    expect(await put(upload_url, 'image/png', new Uint8Array(5))).toBe(403)
    expect(await put(upload_url.replace('put-', 'xxx-'), 'image/png', jpeg)).toBe(403)
    expect(await put(upload_url, 'image/png', jpeg)).toBe(200)
  })
})

describe('pictures', () => {
  const png = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 2])

  test('first and last, of any kind: bytes are uploaded as one, URLs are passed on', async () => {
    const seen: { loaded: number; total: number }[] = []
    const job = await byHand.generate(
      { image: jpeg, end_image: png },
      { onUploadProgress: (progress) => seen.push(progress) },
    )
    expect(job.images).toMatchObject([{ at: 'start' }, { at: 'end', strength: 1 }])
    expect(seen.at(0)).toEqual({ loaded: 0, total: 9 })
    expect(seen.at(-1)).toEqual({ loaded: 9, total: 9 })
    expect(seen.map(({ loaded }) => loaded)).toEqual(seen.map(({ loaded }) => loaded).toSorted((a, b) => a - b))
    const named = await byHand.generate({ image: image_url, end_image: 'https://photos.test/dog.jpg' })
    expect(named.images?.map((picture) => picture.image_url)).toEqual([image_url, 'https://photos.test/dog.jpg'])
  })

  test('several with their places and strengths', async () => {
    const { upload_id } = await byHand.upload(png)
    const job = await byHand.generate({
      images: [
        { image: jpeg, at: 'start' },
        { image_url, seconds: 1.5, strength: 0.4 },
        { upload_id, frame: 96 },
      ],
      prompt: 'a walk',
      metadata: { order: 7 },
    })
    expect(job.images).toMatchObject([
      { at: 'start', strength: 1 },
      { image_url, seconds: 1.5, strength: 0.4 },
      { frame: 96, strength: 1 },
    ])
    expect(job.images?.[0]).not.toHaveProperty('image')
    expect(job.picture_url).toBe(job.images?.[0]?.image_url)
    expect(job).toMatchObject({ requested: { prompt: 'a walk' }, metadata: { order: 7 } })
    expect(job.requested).not.toHaveProperty('duration')
  })

  test('what is no picture is refused before anything is sent', async () => {
    const before = manual.requests.length
    const images = [
      { image: jpeg, at: 'start' },
      { image: new Uint8Array(), at: 'end' },
    ] as const
    await expect(byHand.generate({ images })).rejects.toMatchObject({ code: 'invalid_image' })
    expect(manual.requests).toHaveLength(before)
  })

  test('a model that takes one is answered with those that take more', async () => {
    const asked = byHand.generate({ image_url, end_image: image_url, model: 'camera' })
    await expect(asked).rejects.toThrow(/camera takes one picture, at the start. Ask for another: ltx-video/)
    await expect(byHand.models()).resolves.toMatchObject([
      { model: 'ltx-video', default: true },
      { model: 'camera', default: false, abilities: { images: false } },
    ])
  })

  test('a key means these pictures and no others', async () => {
    const idempotencyKey = 'order-1'
    const one = {
      images: [
        { image: jpeg, at: 'start' },
        { image: png, at: 'end' },
      ],
    } as const
    const first = await byHand.generate(one, { idempotencyKey })
    expect((await byHand.generate(one, { idempotencyKey })).job_id).toBe(first.job_id)
    const other = { images: [one.images[0], { ...one.images[1], strength: 0.5 }] } as const
    await expect(byHand.generate(other, { idempotencyKey })).rejects.toMatchObject({ code: 'idempotency_mismatch' })
  })

  test('the types allow one form for each picture, and one place', () => {
    const place = { at: 'start' } as const
    const right: GenerateInput[] = [
      { image_url },
      { upload_id: 'u', end_image: jpeg },
      { image: jpeg, end_upload_id: 'u' },
      { images: [{ image: jpeg, ...place }] },
    ]
    // @ts-expect-error no picture
    const none: GenerateInput = { prompt: 'x' }
    // @ts-expect-error two forms of one picture
    const twice: GenerateInput = { image: jpeg, image_url }
    // @ts-expect-error two forms of the last one
    const ends: GenerateInput = { image_url, end_image: jpeg, end_image_url: image_url }
    // @ts-expect-error several, and the last one beside them
    const beside: GenerateInput = { images: [{ image_url, ...place }], end_image_url: image_url }
    // @ts-expect-error two places
    const places: GenerateInput = { images: [{ image_url, at: 'start', frame: 8 }] }
    // @ts-expect-error no place
    const nowhere: GenerateInput = { images: [{ image_url }] }
    expect(right).toHaveLength(4)
    expect([none, twice, ends, beside, places, nowhere]).toHaveLength(6)
  })
})

test('notices come with the job, as a worker reports them', async () => {
  const { job_id } = await byHand.generate({ image_url, steps: 20 })
  const notices = ['This checkpoint has 8 fixed steps; steps: 20 was left aside.']
  manual.update(job_id, { steps: 8, notices })
  await expect(byHand.status(job_id)).resolves.toMatchObject({ steps: 8, notices, requested: { steps: 20 } })
})

test('webhooks come signed, and the job tells how they fared', async () => {
  const { job_id } = await kinora.generate({ image_url, webhook_url: 'http://app.test/hook' })
  await vi.waitFor(() => expect(mock.job(job_id)?.webhook).toMatchObject({ status: 'delivered', attempts: 1 }))
  expect(received).toMatchObject([{ type: 'job.completed', job_id, webhook_id: `msg_${job_id}` }])
  expect(mock.webhooks.map((payload) => WebhookPayload.parse(payload).video_url)).toEqual([
    mock.job(job_id)?.result_url,
  ])

  server.use(http.post('http://app.test/broken', () => new HttpResponse(null, { status: 500 })))
  const other = await kinora.generate({ image_url, webhook_url: 'http://app.test/broken' })
  await vi.waitFor(() =>
    expect(mock.job(other.job_id)?.webhook).toMatchObject({ status: 'failed', last_error: 'HTTP 500' }),
  )
})

test('a cut stream resumes', async () => {
  const { job_id } = await byHand.generate({ image_url })
  const waiting = byHand.wait(job_id)
  await vi.waitFor(() => expect(manual.openStreams).toBe(1))
  manual.cutStreams()
  manual.complete(job_id)
  await expect(waiting).resolves.toMatchObject({ status: 'completed' })
})

test('health counts', async () => {
  const { job_id } = await byHand.generate({ image_url })
  await byHand.generate({ image_url })
  manual.complete(job_id)
  await expect(byHand.health()).resolves.toMatchObject({ queue: { pending: 1, completed: 1 } })
})

test('moving a job that is not there says which are', () => {
  expect(() => manual.advance('job_x')).toThrow('The mock has no job "job_x". It has: none.')
})
