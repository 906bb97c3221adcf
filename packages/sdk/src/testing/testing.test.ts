/** The mock as an app's own tests use it. */
import { setupServer } from 'msw/node'
import { http, HttpResponse } from 'msw'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { fixtures, readFixture } from '@kinora/protocol/fixtures'
import { GenerateRequest, Job, JobList, paths, Upload, WebhookPayload } from '@kinora/protocol'
import { Kinora } from '../kinora.ts'
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
