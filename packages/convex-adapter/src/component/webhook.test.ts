// @vitest-environment edge-runtime
import { signWebhook } from '@kinora/protocol'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  type Component,
  getJob,
  insertJob,
  insertUnsentJob,
  pass,
  SECRET,
  startComponent,
} from '../../test/component.ts'
import { startScriptedServer, wireJob } from '../../test/scripted-server.ts'

const VIDEO = 'https://videos.example.com/1.mp4'

beforeEach(() => {
  vi.useFakeTimers({ now: new Date('2026-03-14T09:26:53Z') })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
})

/** The server's message about job_1. */
function payload(fields: Record<string, unknown> = {}) {
  return { type: 'job.completed', job_id: 'job_1', status: 'completed', video_url: VIDEO, data: wireJob(), ...fields }
}

interface Sending {
  readonly secrets?: string[]
  readonly at?: Date
  readonly headers?: Record<string, string>
  readonly search?: string
}

/** Sends a message as the server signs it. */
async function send(t: Component, message: unknown, { secrets = [SECRET], at = new Date(), ...rest }: Sending = {}) {
  const body = typeof message === 'string' ? message : JSON.stringify(message)
  const headers = rest.headers ?? (await signWebhook({ id: 'msg_1', timestamp: at, body, secrets }))
  return t.fetch(`/video-complete${rest.search ?? ''}`, { method: 'POST', headers, body })
}

test('a signed message completes the job', async () => {
  const t = startComponent('')
  const jobId = await insertJob(t)
  const response = await send(t, payload({ data: wireJob({ poster_url: 'https://videos.example.com/1.jpg' }) }))
  expect(response.status).toBe(200)
  expect(await response.json()).toEqual({ success: true })
  expect(await getJob(t, jobId)).toMatchObject({
    status: 'completed',
    outputVideoUrl: VIDEO,
    posterUrl: 'https://videos.example.com/1.jpg',
    completedAt: Date.now(),
  })
})

test('so does one with the original shared secret', async () => {
  const t = startComponent('')
  const jobId = await insertJob(t)
  const original = { job_id: 'job_1', status: 'completed', video_url: VIDEO }
  expect((await send(t, original, { headers: { 'X-Webhook-Secret': SECRET } })).status).toBe(200)
  expect(await getJob(t, jobId)).toMatchObject({ status: 'completed', outputVideoUrl: VIDEO })
})

test('a secret may be in the whsec_ form, and the one before the last change still counts', async () => {
  const secret = `whsec_${btoa('a secret of the server, 32 bytes')}`
  const t = startComponent('', { WEBHOOK_SECRET: secret, WEBHOOK_SECRET_PREVIOUS: 'old' })
  await insertJob(t)
  expect((await send(t, payload(), { secrets: [secret] })).status).toBe(200)
  expect((await send(t, payload(), { secrets: ['old'] })).status).toBe(200)
})

test.each([
  ['failed', { status: 'failed', type: 'job.failed', error: 'Out of memory', data: { error_code: 'out_of_memory' } }],
  ['canceled', { status: 'failed', type: 'job.canceled', error: 'Canceled' }],
])('a %s job is recorded as such', async (status, fields) => {
  const t = startComponent('')
  const jobId = await insertJob(t)
  expect((await send(t, payload({ video_url: undefined, ...fields }))).status).toBe(200)
  expect(await getJob(t, jobId)).toMatchObject(
    status === 'failed'
      ? { status, errorMessage: 'Out of memory', errorCode: 'out_of_memory' }
      : { status, errorCode: 'canceled' },
  )
})

describe('what is refused with 401, and changes nothing', () => {
  test.each<[string, Sending]>([
    ['another secret', { secrets: ['wrong'] }],
    ['a message from ten minutes ago', { at: new Date('2026-03-14T09:16:53Z') }],
    ['a message from the future', { at: new Date('2026-03-14T09:36:53Z') }],
    ['no headers at all', { headers: {} }],
    ['a wrong shared secret', { headers: { 'x-webhook-secret': 'wrong' } }],
    [
      'a wrong signature beside the right shared secret',
      {
        headers: {
          'x-webhook-secret': SECRET,
          'webhook-id': 'msg_1',
          'webhook-timestamp': String(Date.parse('2026-03-14T09:26:53Z') / 1000),
          'webhook-signature': 'v1,AAAA',
        },
      },
    ],
  ])('%s', async (_, sending) => {
    const t = startComponent('')
    const jobId = await insertJob(t)
    const response = await send(t, payload(), sending)
    expect(response.status).toBe(401)
    expect(await response.text()).not.toContain(SECRET)
    expect((await getJob(t, jobId)).status).toBe('queued')
  })

  test('a body that was changed after signing', async () => {
    const t = startComponent('')
    await insertJob(t)
    const headers = await signWebhook({ id: 'm', timestamp: new Date(), body: '{}', secrets: [SECRET] })
    expect((await send(t, payload(), { headers })).status).toBe(401)
  })
})

describe('order', () => {
  test('a repeated message is answered 200 and changes nothing', async () => {
    const t = startComponent('')
    const jobId = await insertJob(t)
    await send(t, payload())
    const first = await getJob(t, jobId)
    await pass(t, 60_000)
    expect((await send(t, payload())).status).toBe(200)
    expect(await getJob(t, jobId)).toEqual(first)
  })

  test('the first end counts: a failure after it, or a completion after a failure, changes nothing', async () => {
    const t = startComponent('')
    const completed = await insertJob(t)
    const failed = await insertJob(t, { externalJobId: 'job_2' })
    await send(t, payload())
    await send(t, payload({ job_id: 'job_2', status: 'failed', type: 'job.failed', error: 'No' }))
    expect((await send(t, payload({ status: 'failed', type: 'job.failed', error: 'Late' }))).status).toBe(200)
    expect((await send(t, payload({ job_id: 'job_2' }))).status).toBe(200)
    expect((await getJob(t, completed)).status).toBe('completed')
    expect(await getJob(t, failed)).toMatchObject({ status: 'failed', errorMessage: 'No' })
  })

  test('a message that overtakes its own job is sent away to come again, and then applied', async () => {
    const t = startComponent('')
    const jobId = await insertUnsentJob(t)
    const search = `?job=${jobId}`
    const early = await send(t, payload(), { search })
    expect(early.status).toBe(503)
    expect(early.headers.get('retry-after')).toBe('5')
    expect((await getJob(t, jobId)).status).toBe('uploading')

    await t.run((ctx) => ctx.db.patch(jobId, { externalJobId: 'job_1', status: 'queued' }))
    expect((await send(t, payload(), { search })).status).toBe(200)
    expect((await getJob(t, jobId)).status).toBe('completed')
  })
})

describe('a message about a job', () => {
  test('that was removed here is answered 200, and removed from the server', async () => {
    const server = await startScriptedServer(() => ({ status: 204 }))
    const t = startComponent(server.url)
    const jobId = await insertJob(t)
    await t.run((ctx) => ctx.db.delete(jobId))
    const search = `?job=${jobId}`
    expect((await send(t, payload(), { search })).status).toBe(200)
    expect((await send(t, payload(), { search })).status).toBe(200)
    await pass(t, 600_000)
    expect(server.seen.map(({ method, path }) => `${method} ${path}`)).toEqual(['DELETE /api/v1/jobs/job_1'])
    expect(vi.getTimerCount()).toBe(0)
    await server.close()
  })

  test('that nobody knows is answered 404', async () => {
    expect((await send(startComponent(''), payload())).status).toBe(404)
  })

  test('is never applied to another job that the unsigned URL names', async () => {
    const t = startComponent('')
    const other = await insertJob(t, { externalJobId: 'job_2' })
    const waiting = await insertUnsentJob(t)
    await send(t, payload(), { search: `?job=${other}` })
    await send(t, payload(), { search: `?job=${waiting}` })
    expect((await getJob(t, other)).status).toBe('queued')
    expect((await getJob(t, waiting)).status).toBe('uploading')
  })

  test('without the video is completed with what the server says when asked', async () => {
    const server = await startScriptedServer(() => ({ body: wireJob({ status: 'completed', result_url: VIDEO }) }))
    const t = startComponent(server.url)
    const jobId = await insertJob(t)
    expect((await send(t, payload({ video_url: undefined }))).status).toBe(200)
    await pass(t)
    expect(await getJob(t, jobId)).toMatchObject({ status: 'completed', outputVideoUrl: VIDEO })
    await server.close()
  })
})

describe('a signed message that is not understood', () => {
  test.each([
    ['of another type', { type: 'job.progress', status: 'processing' }],
    ['of another type about an end', { type: 'job.archived' }],
    ['of another status', { status: 'paused' }],
    ['of the original form with another status', { type: undefined, status: 'queued' }],
    ['that is not about a job', { type: 'tenant.suspended', job_id: undefined, status: undefined }],
  ])('%s is acknowledged and changes nothing', async (_, fields) => {
    const t = startComponent('')
    const jobId = await insertJob(t)
    const before = await getJob(t, jobId)
    const response = await send(t, payload(fields))
    expect([response.status, await response.json()]).toEqual([200, { success: true }])
    await pass(t)
    expect(await getJob(t, jobId)).toEqual(before)
  })

  test('in a part that is not needed still ends the job', async () => {
    const t = startComponent('')
    const jobId = await insertJob(t)
    const odd = { data: 'elsewhere', error: { code: 1 }, new_field: [] }
    expect((await send(t, payload(odd))).status).toBe(200)
    expect(await getJob(t, jobId)).toMatchObject({ status: 'completed', outputVideoUrl: VIDEO })
  })

  test('is refused like any other without its signature', async () => {
    expect((await send(startComponent(''), payload({ type: 'job.progress' }), { secrets: ['wrong'] })).status).toBe(401)
  })
})

test.each(['not json', '[]', '{"job_id":"job_1"}', '{"job_id":"job_1","status":5}'])(
  'a signed body that is no message is 400: %s',
  async (body) => {
    const t = startComponent('')
    await insertJob(t)
    expect((await send(t, body)).status).toBe(400)
  },
)

test('a component without a secret asks for the message later rather than trusting it', async () => {
  const t = startComponent('', { WEBHOOK_SECRET: '' })
  const jobId = await insertJob(t)
  expect((await send(t, payload(), { headers: { 'x-webhook-secret': '' } })).status).toBe(503)
  expect((await getJob(t, jobId)).status).toBe('queued')
})

test('a body beyond all reason is 413', async () => {
  expect((await send(startComponent(''), 'x'.repeat(300_000))).status).toBe(413)
})
