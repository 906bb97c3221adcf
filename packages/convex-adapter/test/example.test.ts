// @vitest-environment edge-runtime
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { api } from '../example/convex/_generated/api'
import { MOUNTED_SITE, pass, SECRET } from './component.ts'
import { type App, signIn, startExampleApp, uploadPhoto } from './example-app.ts'
import { startScriptedServer, wireJob } from './scripted-server.ts'

const PHOTO = new Blob([new Uint8Array(1000)], { type: 'image/jpeg' })
let server: Awaited<ReturnType<typeof startScriptedServer>>
let state: Record<string, unknown>
let app: App

beforeEach(async () => {
  vi.useFakeTimers()
  state = {}
  server = await startScriptedServer(({ method, path }) => {
    if (path === '/video.mp4') return { headers: { 'content-type': 'video/mp4' }, body: new Uint8Array(5000) }
    return { status: method === 'POST' ? 201 : 200, body: wireJob(method === 'POST' ? {} : state) }
  })
  app = startExampleApp({
    VIDEO_API_URL: server.url,
    VIDEO_API_KEY: 'key',
    WEBHOOK_SECRET: SECRET,
    CONVEX_SITE_URL: MOUNTED_SITE,
  })
})
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  await server.close()
})

async function jobOf(user: ReturnType<typeof signIn>, args: Record<string, string | number> = {}) {
  const sourceImageId = await uploadPhoto(app, PHOTO)
  return user.mutation(api.videos.create, { sourceImageId, ...args })
}

test('a signed-in user makes a video of a photo and watches it come', async () => {
  const ada = signIn(app, 'Ada')
  const jobId = await jobOf(ada, { prompt: 'The cat blinks', durationSeconds: 3 })
  expect(await ada.query(api.videos.get, { jobId })).toMatchObject({ status: 'uploading', durationSeconds: 3 })

  await pass(app)
  expect(JSON.parse(server.seen[0]?.body ?? '')).toMatchObject({
    image_url: expect.stringMatching(/^https:\/\/some-deployment\.convex\.cloud\/api\/storage\//),
    prompt: 'The cat blinks',
    duration: 3,
  })
  expect(await ada.query(api.videos.listByUser, {})).toMatchObject([{ _id: jobId, status: 'queued' }])

  state = { status: 'processing', progress: 55, stage: 'generating' }
  await pass(app, 10_000)
  expect(await ada.query(api.videos.get, { jobId })).toMatchObject({ status: 'processing', progress: 55 })

  state = { status: 'completed', result_url: `${server.url}/video.mp4` }
  await pass(app, 60_000)
  expect(await ada.query(api.videos.get, { jobId })).toMatchObject({ status: 'completed' })
})

test('without signing in nothing is made and nothing is shown', async () => {
  const ada = signIn(app, 'Ada')
  const jobId = await jobOf(ada)
  const sourceImageId = await uploadPhoto(app, PHOTO)
  await expect(app.mutation(api.videos.create, { sourceImageId })).rejects.toMatchObject({
    data: { code: 'unauthenticated' },
  })
  await expect(app.mutation(api.videos.generateUploadUrl, {})).rejects.toMatchObject({
    data: { code: 'unauthenticated' },
  })
  expect(await app.query(api.videos.get, { jobId })).toBeNull()
  expect(await app.query(api.videos.listByUser, {})).toEqual([])
})

test('guests are let in where the deployment says so, as one and the same user', async () => {
  vi.stubEnv('GUESTS', 'yes')
  const sourceImageId = await uploadPhoto(app, PHOTO)
  const jobId = await app.mutation(api.videos.create, { sourceImageId })
  expect(await app.query(api.videos.get, { jobId })).toMatchObject({ userId: 'guest' })
  expect(await signIn(app, 'Ada').query(api.videos.get, { jobId })).toBeNull()
})

test('a user who asks for another user’s job gets null, and can neither cancel nor remove it', async () => {
  const ada = signIn(app, 'Ada')
  const bob = signIn(app, 'Bob')
  const jobId = await jobOf(ada)
  expect(await bob.query(api.videos.get, { jobId })).toBeNull()
  expect(await bob.query(api.videos.listByUser, {})).toEqual([])
  expect(await bob.mutation(api.videos.cancel, { jobId })).toBe(false)
  expect(await bob.mutation(api.videos.remove, { jobId })).toBe(false)
  expect(await bob.action(api.videos.link, { jobId })).toBeNull()
  expect(await ada.query(api.videos.get, { jobId })).toMatchObject({ status: 'uploading' })
})

test('listByUser shows the newest fifty', async () => {
  const ada = signIn(app, 'Ada')
  const sourceImageId = await uploadPhoto(app, PHOTO)
  const ids: string[] = []
  for (let count = 0; count < 55; count++) ids.unshift(await ada.mutation(api.videos.create, { sourceImageId }))
  const jobs = await ada.query(api.videos.listByUser, {})
  expect(jobs.map(({ _id }) => _id)).toEqual(ids.slice(0, 50))
})

describe('limits on what comes in, in clear words', () => {
  test.each([
    [{ durationSeconds: 11 }, 'duration: must be at most 10, not 11'],
    [{ fps: 100 }, 'fps: must be at most 60, not 100'],
    [{ prompt: 'x'.repeat(5000) }, 'prompt: must have at most 4000 characters, not 5000'],
  ])('%j', async (args, message) => {
    const ada = signIn(app, 'Ada')
    await expect(jobOf(ada, args)).rejects.toMatchObject({ data: { code: 'invalid_request', message } })
  })

  test('a picture that is too large', async () => {
    const ada = signIn(app, 'Ada')
    const sourceImageId = await uploadPhoto(app, new Blob([new Uint8Array(20 * 1024 * 1024 + 1)]))
    await expect(ada.mutation(api.videos.create, { sourceImageId })).rejects.toMatchObject({
      data: { message: 'image: has 20971521 bytes; at most 20971520 are allowed' },
    })
  })

  test('a picture that was deleted', async () => {
    const ada = signIn(app, 'Ada')
    const sourceImageId = await uploadPhoto(app, PHOTO)
    await app.run((ctx) => ctx.storage.delete(sourceImageId))
    await expect(ada.mutation(api.videos.create, { sourceImageId })).rejects.toMatchObject({
      data: { message: `image: there is no file ${sourceImageId} in storage` },
    })
  })
})

describe('when the video is there', () => {
  async function finished(video: string) {
    const ada = signIn(app, 'Ada')
    const jobId = await jobOf(ada)
    await pass(app)
    state = { status: 'completed', result_url: `${server.url}${video}` }
    await pass(app, 30_000)
    return { ada, jobId, job: await ada.query(api.videos.get, { jobId }) }
  }

  test('it is copied into the app’s own storage, and the app is told once', async () => {
    const { ada, jobId, job } = await finished('/video.mp4')
    expect(job?.outputVideoUrl).toMatch(/^https:\/\/some-deployment\.convex\.cloud\/api\/storage\//)
    const size = await app.run(async (ctx) => {
      const id = job?.videoStorageId
      return id === undefined ? undefined : (await ctx.storage.get(id))?.size
    })
    expect(size).toBe(5000)
    await pass(app, 3_600_000)
    expect(await ada.query(api.videos.notifications, {})).toMatchObject([{ jobId, text: 'Your video is ready.' }])
    expect(await ada.action(api.videos.link, { jobId })).toBe(job?.outputVideoUrl)
  })

  test('one that is too large stays on the server, and the job says why', async () => {
    const size = 501 * 1024 * 1024
    server.answer(({ method, path }) =>
      path === '/video.mp4'
        ? { headers: { 'content-length': String(size) } }
        : { status: method === 'POST' ? 201 : 200, body: wireJob(method === 'POST' ? {} : state) },
    )
    const { ada, jobId, job } = await finished('/video.mp4')
    expect(job).toMatchObject({ status: 'completed', outputVideoUrl: `${server.url}/video.mp4` })
    expect(job?.storeError).toBe(
      `The video has ${size} bytes, and at most 524288000 are copied. It stays on the Kinora server.`,
    )
    expect(await ada.query(api.videos.notifications, {})).toHaveLength(1)
    expect(await ada.action(api.videos.link, { jobId })).toBe(`${server.url}/video.mp4`)
  })

  test('a copy that fails is tried again', async () => {
    let tries = 0
    server.answer(({ method, path }) => {
      if (path === '/video.mp4') {
        tries += 1
        return tries < 3 ? { status: 503 } : { headers: { 'content-type': 'video/mp4' }, body: new Uint8Array(10) }
      }
      return { status: method === 'POST' ? 201 : 200, body: wireJob(method === 'POST' ? {} : state) }
    })
    const { job } = await finished('/video.mp4')
    expect(tries).toBe(3)
    expect(job?.videoStorageId).toBeDefined()
  })

  test('the copy of a job that was removed meanwhile is not kept', async () => {
    const ada = signIn(app, 'Ada')
    const jobId = await jobOf(ada)
    await pass(app)
    server.answer(({ method, path }) => {
      if (path === '/video.mp4') {
        void ada.mutation(api.videos.remove, { jobId })
        return { headers: { 'content-type': 'video/mp4' }, body: new Uint8Array(10) }
      }
      return { status: method === 'POST' ? 201 : 200, body: wireJob(state) }
    })
    state = { status: 'completed', result_url: `${server.url}/video.mp4` }
    await pass(app, 30_000)
    const files = await app.run((ctx) => ctx.db.system.query('_storage').collect())
    expect(files.map(({ size }) => size)).toEqual([1000])
    expect(await ada.query(api.videos.notifications, {})).toEqual([])
  })
})

test('a job that fails is told as well, in words', async () => {
  const ada = signIn(app, 'Ada')
  const jobId = await jobOf(ada)
  await pass(app)
  state = { status: 'failed', error_message: 'Out of memory' }
  await pass(app, 30_000)
  expect(await ada.query(api.videos.notifications, {})).toMatchObject([{ jobId, text: 'No video: Out of memory' }])
})
