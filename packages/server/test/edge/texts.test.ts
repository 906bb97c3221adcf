/** Letters that no store can keep: refused in requests, mended in what workers report. On the embedded store, which is Postgres. */
import { Job, type Lease, paths } from '@kinora/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openServer, pictureForm, type TestServer } from './server.ts'

let server: TestServer
beforeAll(async () => {
  server = await openServer()
})
afterAll(() => server?.close())

const image_url = 'https://example.com/cat.jpg'
const jobs = async () => ((await (await server.call(paths.jobs())).json()) as { jobs: unknown[] }).jobs

describe('a request', () => {
  it.each([
    ['NUL', 'a cat\0', 'prompt', { image_url, prompt: 'a cat\0' }],
    ['half a surrogate pair', '\uD83D', 'negative_prompt', { image_url, negative_prompt: 'a \uD83D' }],
    ['one deep inside', '\0', 'metadata.order.0.note', { image_url, metadata: { order: [{ note: '\0' }] } }],
    ['one in a name', '\0', 'metadata.\uFFFD', { image_url, metadata: { '\0': 1 } }],
    ['one in a field that is not known', '\0', 'further', { image_url, further: '\0' }],
  ])('with %s is refused by the field’s name, and leaves nothing', async (_, _letter, path, body) => {
    const answer = await server.post(paths.generate(), body)
    expect([answer.status, await answer.json()]).toMatchObject([400, { code: 'invalid_request', issues: [{ path }] }])
    expect(await jobs()).toEqual([])
  })

  it('is refused in a form and in a query, too', async () => {
    const form = { method: 'POST', body: await pictureForm({ prompt: 'a\0cat' }) }
    expect((await server.call(paths.generate(), form)).status).toBe(400)
    expect((await server.call(`${paths.jobs()}?cursor=%00`)).status).toBe(400)
    expect((await server.post(paths.presignUpload(), { job_id: 'a\0' })).status).toBe(400)
  })

  it.each(['/api/v1/jobs/%00', '/api/v1/jobs/a%00/video', '/api/v1/jobs/%ED%A0%80/events'])(
    'finds nothing at %s',
    async (path) => {
      const answer = await server.call(path)
      expect(answer.status).toBe(404)
      await answer.body?.cancel()
    },
  )

  it('that is nested without end is refused', async () => {
    const nested = `{"image_url":"${image_url}","metadata":{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}}`
    const headers = { 'content-type': 'application/json' }
    const answer = await server.call(paths.generate(), { method: 'POST', headers, body: nested })
    expect([answer.status, await answer.json()]).toMatchObject([400, { code: 'invalid_request' }])
  })
})

it('takes a worker’s report with such letters, and keeps what it says', async () => {
  const made = await server.generate()
  const claimed = await server.asWorker(paths.leases(), { model: 'camera', worker: 'half a \uD83D', wait: 20 })
  const { lease_id } = (await claimed.json()) as Lease
  const beat = { progress: 10, stage: 'generating', notices: ['cut at \0'] }
  expect((await server.asWorker(paths.heartbeat(lease_id), beat)).status).toBe(200)
  const report = { error: 'ffmpeg said \0 and \uDC00', error_code: 'encode_failed', retryable: false }
  expect((await server.asWorker(paths.fail(lease_id), report)).status).toBe(200)
  const job = Job.parse(await (await server.call(paths.job(made.job_id))).json())
  expect(job).toMatchObject({
    status: 'failed',
    error_code: 'encode_failed',
    error_message: 'ffmpeg said \uFFFD and \uFFFD',
    notices: ['cut at \uFFFD'],
  })
})
