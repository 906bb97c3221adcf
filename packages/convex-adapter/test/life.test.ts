// @vitest-environment edge-runtime
/** The whole life of a job against a real Kinora server: pictures, queue, worker's leases, videos and webhooks are real; only Convex is convex-test. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { api as exampleApi } from '../example/convex/_generated/api'
import { api } from '../src/component/_generated/api.ts'
import { type Component, createJob, getJob, MOUNTED_SITE, pass, SECRET, startComponent } from './component.ts'
import { signIn, startExampleApp, uploadPhoto } from './example-app.ts'
import { startCuttingProxy } from './cutting-proxy.ts'
import { startLocalDeployment } from './local-deployment.ts'
import { fixture, type RealKinora, startRealKinora } from './real-kinora.ts'
import { startRouterApp, videos } from './router-app.ts'

let kinora: RealKinora
let deployment: Awaited<ReturnType<typeof startLocalDeployment>>
let photo: Blob

beforeAll(async () => {
  kinora = await startRealKinora(SECRET)
  photo = new Blob([await fixture('photo')], { type: 'image/jpeg' })
}, 120_000)
afterAll(() => kinora.close())

beforeEach(async () => {
  vi.useFakeTimers()
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  // convex-test stands in for the runtime from its first instance on.
  startComponent('')
  deployment = await startLocalDeployment()
})
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  await deployment.close()
})

describe('the component as the root', () => {
  let t: Component
  beforeEach(async () => {
    t = startComponent(kinora.url, { VIDEO_API_KEY: kinora.apiKey })
    deployment.serve(t)
    deployment.put('/pictures/cat.jpg', photo)
  })

  /** A job that the server has, with its webhook to the component's own route. */
  async function start() {
    const jobId = await createJob(t, {
      imageUrl: `${deployment.url}/pictures/cat.jpg`,
      webhookUrl: `${deployment.url}/video-complete`,
      prompt: 'slow zoom',
      duration: 1,
    })
    await pass(t)
    expect((await getJob(t, jobId)).status).toBe('queued')
    return { jobId, worker: await kinora.claim() }
  }

  test('picture, queue, progress, video, webhook', async () => {
    const { jobId, worker } = await start()
    expect(worker.settings).toMatchObject({ prompt: 'slow zoom', duration: 1 })
    expect(await worker.picture()).toEqual(await fixture('photo'))

    await worker.beat(42)
    await pass(t, 6_000)
    expect(await getJob(t, jobId)).toMatchObject({ status: 'processing', progress: 42, stage: 'generating' })

    await worker.complete()
    await vi.waitFor(async () => expect((await getJob(t, jobId)).status).toBe('completed'), 10_000)
    expect(deployment.delivered).toMatchObject([
      { path: `/video-complete?job=${encodeURIComponent(jobId)}`, status: 200 },
    ])

    const { outputVideoUrl = '', posterUrl = '' } = await getJob(t, jobId)
    expect(await bytesOf(outputVideoUrl)).toEqual(await fixture('video'))
    expect(await bytesOf(posterUrl)).toEqual(await fixture('poster'))
    const fresh = await t.action(api.lib.freshVideoUrl, { jobId })
    expect(await bytesOf(fresh ?? '')).toEqual(await fixture('video'))
  })

  test('a failed job says why', async () => {
    const { jobId, worker } = await start()
    await worker.fail('The picture does not fit into memory.')
    await vi.waitFor(async () => expect((await getJob(t, jobId)).status).toBe('failed'), 10_000)
    expect(await getJob(t, jobId)).toMatchObject({
      errorMessage: 'The picture does not fit into memory.',
      errorCode: 'out_of_memory',
    })
  })

  test('a webhook that gets lost: the result is found by asking, and the message that comes late changes nothing', async () => {
    const { jobId, worker } = await start()
    deployment.drop(() => true)
    await worker.complete()
    await vi.waitFor(() => expect(deployment.dropped()).toBe(1), 10_000)
    expect((await getJob(t, jobId)).status).toBe('queued')

    await pass(t, 60_000)
    const found = await getJob(t, jobId)
    expect(found.status).toBe('completed')

    deployment.drop(() => false)
    await vi.waitFor(() => expect(deployment.delivered).toHaveLength(1), { timeout: 15_000, interval: 200 })
    expect(deployment.delivered[0]?.status).toBe(200)
    expect(await getJob(t, jobId)).toEqual(found)
  })

  test('a real message that is sent again, changed or by somebody without the secret', async () => {
    const { jobId, worker } = await start()
    await worker.complete()
    await vi.waitFor(() => expect(deployment.delivered).toHaveLength(1), 10_000)
    const { path, body, headers } = deployment.delivered[0] ?? { path: '', body: '', headers: {} }
    const before = await getJob(t, jobId)
    const send = (message: string, secret?: string) => {
      if (secret !== undefined) vi.stubEnv('WEBHOOK_SECRET', secret)
      return t.fetch(path, { method: 'POST', headers, body: message })
    }
    expect((await send(body)).status).toBe(200)
    expect((await send(body.replace('completed', 'failed'))).status).toBe(401)
    vi.setSystemTime(Date.now() + 301_000)
    expect((await send(body)).status).toBe(401)
    vi.setSystemTime(Date.now() - 301_000)
    expect((await send(body, 'another')).status).toBe(401)
    expect(await getJob(t, jobId)).toEqual(before)
  })

  test('cancel stops the worker, remove takes the job from the server', async () => {
    const { jobId, worker } = await start()
    await t.mutation(api.lib.cancel, { jobId })
    expect((await getJob(t, jobId)).status).toBe('canceled')
    await pass(t)
    expect(await worker.isCanceled()).toBe(true)

    expect(await kinora.job(worker.jobId)).toMatchObject({ status: 'canceled' })
    await t.mutation(api.lib.remove, { jobId })
    await pass(t)
    expect(await kinora.job(worker.jobId)).toBeNull()
  })

  test('a job that is removed while it is running leaves nothing: the worker is told to stop, and no message disturbs', async () => {
    const { jobId, worker } = await start()
    await worker.beat(10)
    await t.mutation(api.lib.remove, { jobId })
    await pass(t)
    expect(await worker.isCanceled()).toBe(true)
    expect(await kinora.job(worker.jobId)).toBeNull()
    await pass(t, 60_000)
    expect(await t.query(api.lib.get, { jobId })).toBeNull()
    expect(deployment.delivered.filter(({ status }) => status !== 200)).toEqual([])
  })

  test('a picture that is none fails the job in the server’s words', async () => {
    deployment.put('/pictures/none.txt', new Blob(['no picture'], { type: 'image/jpeg' }))
    const jobId = await createJob(t, { imageUrl: `${deployment.url}/pictures/none.txt` })
    await vi.waitFor(async () => {
      await pass(t, 10_000)
      expect((await getJob(t, jobId)).status).toBe('failed')
    }, 10_000)
    expect((await getJob(t, jobId)).errorMessage).toMatch(/picture|image/i)
  })

  test.each(['cancel', 'remove'] as const)(
    'a job whose acceptance nobody heard of is ended on the server after %s',
    async (act) => {
      const cut = await startCuttingProxy(kinora.url)
      vi.stubEnv('VIDEO_API_URL', cut.url)
      const jobId = await createJob(t, { imageUrl: `${deployment.url}/pictures/cat.jpg` })
      await pass(t)
      expect(await kinora.job(cut.accepted[0] ?? '')).toMatchObject({ status: 'queued' })
      await t.mutation(api.lib[act], { jobId })
      await pass(t, 60_000)
      expect(new Set(cut.accepted).size).toBe(1)
      const left = await kinora.job(cut.accepted[0] ?? '')
      expect(left?.status).toBe(act === 'cancel' ? 'canceled' : undefined)
      await cut.close()
    },
  )

  test('a server that comes back takes the job, once, though its first answer was lost', async () => {
    const cut = await startCuttingProxy(kinora.url)
    vi.stubEnv('VIDEO_API_URL', cut.url)
    const jobId = await createJob(t, {
      imageUrl: `${deployment.url}/pictures/cat.jpg`,
      webhookUrl: `${deployment.url}/video-complete`,
    })
    await pass(t)
    expect(cut.accepted).toHaveLength(1)
    expect((await getJob(t, jobId)).status).toBe('uploading')
    await pass(t, 5_000)
    const job = await getJob(t, jobId)
    expect(job).toMatchObject({ status: 'queued', externalJobId: cut.accepted[0] })
    expect(new Set(cut.accepted).size).toBe(1)
    await t.mutation(api.lib.remove, { jobId })
    await pass(t)
    await cut.close()
  })
})

test('the example app in local development: a photo of its own storage goes as bytes, the result is asked for and copied', async () => {
  const app = startExampleApp({
    VIDEO_API_URL: kinora.url,
    VIDEO_API_KEY: kinora.apiKey,
    WEBHOOK_SECRET: '',
    CONVEX_SITE_URL: 'http://127.0.0.1:3211/api/webhooks',
  })
  const ada = signIn(app, 'Ada')
  const sourceImageId = await uploadPhoto(app, photo)
  await deployment.putStored(photo)
  const jobId = await ada.mutation(exampleApi.videos.create, { sourceImageId, prompt: 'slow zoom', durationSeconds: 1 })
  await pass(app)

  const worker = await kinora.claim()
  expect(await worker.picture()).toEqual(await fixture('photo'))
  await worker.beat(70)
  await pass(app, 3_000)
  expect(await ada.query(exampleApi.videos.get, { jobId })).toMatchObject({ status: 'processing', progress: 70 })
  expect(await signIn(app, 'Bob').query(exampleApi.videos.get, { jobId })).toBeNull()

  await worker.complete()
  await pass(app, 60_000)
  const job = await ada.query(exampleApi.videos.get, { jobId })
  expect(job?.status).toBe('completed')
  const copy = await app.run(async (ctx) => {
    const id = job?.videoStorageId
    const file = id === undefined ? null : await ctx.storage.get(id)
    return file === null ? null : file.arrayBuffer()
  })
  expect(new Uint8Array(copy ?? new ArrayBuffer(0))).toEqual(await fixture('video'))
  expect(await ada.query(exampleApi.videos.notifications, {})).toMatchObject([{ jobId, text: 'Your video is ready.' }])
  expect(deployment.delivered).toEqual([])
})

test('an app with its own route: webhook, events, copy and callback', async () => {
  const app = startRouterApp(
    { VIDEO_API_URL: kinora.url, VIDEO_API_KEY: kinora.apiKey, WEBHOOK_SECRET: SECRET, CONVEX_SITE_URL: MOUNTED_SITE },
    { webhookUrl: `${deployment.url}/hooks/video`, storeVideo: true },
  )
  deployment.serve(app)
  deployment.put('/pictures/cat.jpg', photo)
  const userId = await app.run((ctx) => ctx.db.insert('users', { name: 'Ada' }))
  const image = `${deployment.url}/pictures/cat.jpg`
  const jobId = await app.mutation(videos.make, { userId, image, album: 'cats' })
  await pass(app)
  const worker = await kinora.claim()
  await worker.complete()
  await vi.waitFor(
    async () => expect((await app.query(videos.log, {})).at(-1)?.type).toBe('onComplete completed'),
    10_000,
  )

  const log = await app.query(videos.log, {})
  expect(log.map(({ type }) => type)).toEqual(['job.queued', 'job.completed', 'onComplete completed'])
  expect(log.at(-1)).toMatchObject({ userId, album: 'cats' })
  expect((await app.query(videos.look, { jobId }))?.videoStorageId).toBeDefined()
  expect(deployment.delivered).toMatchObject([{ status: 200 }])
})

async function bytesOf(url: string): Promise<Uint8Array> {
  const response = await fetch(url)
  expect(response.status).toBe(200)
  return new Uint8Array(await response.arrayBuffer())
}
