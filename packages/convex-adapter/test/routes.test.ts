// @vitest-environment edge-runtime
import { signWebhook } from '@kinora/protocol'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { pass, SECRET } from './component.ts'
import { startRouterApp, videos } from './router-app.ts'
import { startScriptedServer, wireJob } from './scripted-server.ts'

const VIDEO = 'https://videos.example.com/1.mp4'
const SITE = 'https://happy-otter-123.convex.site'
let server: Awaited<ReturnType<typeof startScriptedServer>>

beforeEach(async () => {
  vi.useFakeTimers()
  server = await startScriptedServer(({ method }) => ({ status: method === 'POST' ? 201 : 200, body: wireJob() }))
})
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  await server.close()
})

/** An app that has not mounted the component, with one job at the server. */
async function startWithJob(webhookUrl = '/hooks/video', album = 'cats') {
  const env = { VIDEO_API_URL: server.url, VIDEO_API_KEY: 'key', WEBHOOK_SECRET: SECRET, CONVEX_SITE_URL: SITE }
  const t = startRouterApp(env, { webhookUrl })
  const userId = await t.run((ctx) => ctx.db.insert('users', { name: 'Ada' }))
  const jobId = await t.mutation(videos.make, { userId, image: 'https://pictures.example.com/1.jpg', album })
  await pass(t)
  return { t, userId, jobId }
}

async function deliver(t: Awaited<ReturnType<typeof startWithJob>>['t'], secret = SECRET) {
  const body = JSON.stringify({ type: 'job.completed', job_id: 'job_1', status: 'completed', video_url: VIDEO })
  const headers = await signWebhook({ id: 'msg_1', timestamp: new Date(), body, secrets: [secret] })
  return t.fetch('/hooks/video?job=x', { method: 'POST', headers, body })
}

test('a path is told to the server as a URL on this deployment’s site', async () => {
  await startWithJob()
  expect(JSON.parse(server.seen[0]?.body ?? '').webhook_url).toMatch(
    /^https:\/\/happy-otter-123\.convex\.site\/hooks\/video\?job=/,
  )
})

test('the app’s own route takes signed messages, and no others', async () => {
  const { t, jobId } = await startWithJob()
  expect((await deliver(t, 'wrong')).status).toBe(401)
  expect((await t.query(videos.look, { jobId }))?.status).toBe('queued')
  expect((await deliver(t)).status).toBe(200)
  expect(await t.query(videos.look, { jobId })).toMatchObject({ status: 'completed', outputVideoUrl: VIDEO })
})

test('onEvent hears of every change and onComplete of the end, once, with the app’s own types', async () => {
  const { t, userId } = await startWithJob()
  server.answer(() => ({ body: wireJob({ status: 'processing', progress: 20, stage: 'generating' }) }))
  await pass(t, 8_000)
  server.answer(() => ({ body: wireJob({ status: 'processing', progress: 60, stage: 'generating' }) }))
  await pass(t, 20_000)
  await deliver(t)
  await deliver(t)
  await pass(t, 60_000)
  const log = await t.query(videos.log, {})
  expect(log.map(({ type }) => type)).toEqual([
    'job.queued',
    'job.processing',
    'job.progress',
    'job.completed',
    'onComplete completed',
  ])
  expect(log.at(-1)).toMatchObject({ userId, album: 'cats', videoUrl: VIDEO })
})

test('a canceled job is an end as well', async () => {
  const { t, jobId } = await startWithJob()
  await t.mutation(videos.stop, { jobId })
  await pass(t)
  expect((await t.query(videos.log, {})).map(({ type }) => type)).toEqual([
    'job.queued',
    'job.canceled',
    'onComplete canceled',
  ])
})

describe('an onComplete that throws', () => {
  beforeEach(() => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
  })
  afterEach(() => {
    vi.restoreAllMocks()
  })
  const ends = async (t: Awaited<ReturnType<typeof startWithJob>>['t']) =>
    (await t.query(videos.log, {})).map(({ type }) => type).filter((type) => !type.startsWith('job.'))

  test('is called again until it does not, and then once', async () => {
    const { t, jobId } = await startWithJob('/hooks/video', 'broken')
    await deliver(t)
    await pass(t, 30_000)
    expect(await ends(t)).toEqual([])
    vi.stubEnv('MENDED', 'yes')
    await pass(t, 3_600_000)
    expect(await ends(t)).toEqual(['onComplete completed'])
    expect(await t.query(videos.look, { jobId })).not.toHaveProperty('callback_error')
    expect(console.error).toHaveBeenCalledWith(
      expect.stringMatching(/onComplete of job .* threw \(attempt 1 of 10\): The album/),
    )
  })

  test('for good is told in the job, and leaves nothing half written', async () => {
    const { t, jobId } = await startWithJob('/hooks/video', 'broken')
    await deliver(t)
    await pass(t, 3_600_000)
    expect(await ends(t)).toEqual([])
    expect(await t.query(videos.look, { jobId })).toMatchObject({
      status: 'completed',
      callback_error: expect.stringContaining('The album is broken.'),
    })
    expect(console.error).toHaveBeenCalledTimes(10)
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a link to a video that lasts', () => {
  async function finished() {
    const started = await startWithJob()
    await deliver(started.t)
    server.answer(() => ({
      body: wireJob({
        status: 'completed',
        result_url: `${VIDEO}?fresh`,
        poster_url: 'https://videos.example.com/1.jpg',
      }),
    }))
    return started
  }
  const look = async (response: Response) => [response.status, response.headers.get('location')]

  test('leads to a fresh one, for whom the app lets', async () => {
    const { t, userId, jobId } = await finished()
    const ada = t.withIdentity({ subject: userId })
    const response = await ada.fetch(`/watch/${jobId}`)
    expect(await look(response)).toEqual([302, `${VIDEO}?fresh`])
    expect(response.headers.get('cache-control')).toBe('private, no-store')
    expect(await look(await t.fetch(`/watch/${jobId}/poster?pass=let-me-in`))).toEqual([
      302,
      'https://videos.example.com/1.jpg',
    ])
  })

  test('does not tell anybody else whether there is a video', async () => {
    const { t, jobId } = await finished()
    for (const path of [
      `/watch/${jobId}`,
      '/watch/nothing?pass=let-me-in',
      `/watch/${jobId}/other?pass=let-me-in`,
      '/watch/%E0%A4%A',
    ]) {
      expect((await t.withIdentity({ subject: 'eve' }).fetch(path)).status).toBe(404)
    }
    expect(server.seen.filter(({ method }) => method === 'GET')).toEqual([])
  })

  test('says so where the server cannot be asked', async () => {
    const { t, jobId } = await finished()
    server.answer(() => ({ status: 503 }))
    const response = await t.fetch(`/watch/${jobId}?pass=let-me-in`)
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '10'])
  })

  test('leads nowhere before the video is there', async () => {
    const { t, jobId } = await startWithJob()
    expect((await t.fetch(`/watch/${jobId}?pass=let-me-in`)).status).toBe(404)
  })
})
