// @vitest-environment edge-runtime
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createJob, getJob, insertJob, pass, startComponent } from '../../test/component.ts'
import { closedUrl, startScriptedServer, wireJob } from '../../test/scripted-server.ts'
import { api, internal } from './_generated/api.ts'

const VIDEO = 'https://videos.example.com/1.mp4'
const HOUR = 3_600_000
let server: Awaited<ReturnType<typeof startScriptedServer>>
let state: Record<string, unknown>

beforeEach(async () => {
  vi.useFakeTimers()
  state = {}
  server = await startScriptedServer(({ method }) => ({
    status: method === 'POST' ? 201 : 200,
    body: wireJob(method === 'POST' ? {} : state),
  }))
})
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  await server.close()
})

const polls = () => server.seen.filter(({ method }) => method === 'GET')

test('a job whose webhook got lost is found by asking', async () => {
  const t = startComponent(server.url)
  const jobId = await createJob(t)
  await pass(t)
  state = { status: 'completed', result_url: VIDEO, poster_url: 'https://videos.example.com/1.jpg' }
  await pass(t, 60_000)
  expect(await getJob(t, jobId)).toMatchObject({
    status: 'completed',
    outputVideoUrl: VIDEO,
    posterUrl: 'https://videos.example.com/1.jpg',
  })
})

test('a job that has ended is not asked about any more', async () => {
  const t = startComponent(server.url)
  await createJob(t)
  state = { status: 'completed', result_url: VIDEO }
  await pass(t, 60_000)
  const asked = polls().length
  await pass(t, HOUR)
  expect(polls()).toHaveLength(asked)
  expect(vi.getTimerCount()).toBe(0)
})

test('pauses grow: a job that waits for an hour is asked about a few dozen times beside a webhook, without one more often', async () => {
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  await createAndWait(startComponent(server.url))
  const beside = polls().length
  expect(beside).toBeGreaterThan(10)
  expect(beside).toBeLessThan(40)

  await createAndWait(startComponent(server.url, { CONVEX_SITE_URL: 'http://127.0.0.1:3211' }))
  expect(polls().length - beside).toBeGreaterThan(2 * beside)

  async function createAndWait(t: ReturnType<typeof startComponent>) {
    await createJob(t)
    await pass(t, HOUR)
    await t.mutation(api.lib.cancel, { jobId: (await t.run((ctx) => ctx.db.query('videoJobs').first()))?._id ?? '' })
  }
})

describe('progress', () => {
  test('is part of a single job and not of lists, and goes when the job ends', async () => {
    const t = startComponent(server.url)
    const jobId = await createJob(t)
    state = { status: 'processing', progress: 42.4, stage: 'generating' }
    await pass(t, 10_000)
    expect(await getJob(t, jobId)).toMatchObject({ status: 'processing', progress: 42.4, stage: 'generating' })
    const list = await t.query(api.lib.listByUser, { userId: 'ada', paginationOpts: { numItems: 10, cursor: null } })
    expect(list.page[0]).not.toHaveProperty('progress')

    state = { status: 'failed', error_message: 'Out of memory', error_code: 'out_of_memory' }
    await pass(t, 60_000)
    const failed = await getJob(t, jobId)
    expect(failed).toMatchObject({ status: 'failed', errorMessage: 'Out of memory', errorCode: 'out_of_memory' })
    expect(failed).not.toHaveProperty('progress')
    expect(await t.run((ctx) => ctx.db.query('progress').collect())).toEqual([])
  })

  test('is written only when a whole percent or the stage has changed', async () => {
    const t = startComponent(server.url)
    const jobId = await createJob(t)
    state = { status: 'processing', progress: 42.1, stage: 'generating' }
    await pass(t, 10_000)
    state = { status: 'processing', progress: 42.9, stage: 'generating' }
    await pass(t, 60_000)
    expect((await getJob(t, jobId)).progress).toBe(42.1)
    state = { status: 'processing', progress: 43, stage: 'generating' }
    await pass(t, 60_000)
    expect((await getJob(t, jobId)).progress).toBe(43)
  })

  test('tells what the user should know while he waits', async () => {
    const t = startComponent(server.url)
    const jobId = await createJob(t)
    state = { queue_position: 3, notice: 'No worker serves this model at present.' }
    await pass(t, 10_000)
    expect(await getJob(t, jobId)).toMatchObject({
      status: 'queued',
      queuePosition: 3,
      notice: 'No worker serves this model at present.',
    })
  })
})

describe('polling has an end', () => {
  test('a job that has not ended within a week fails, and the server is told to stop', async () => {
    const t = startComponent(server.url)
    const jobId = await createJob(t)
    await pass(t, 6 * 24 * HOUR)
    expect((await getJob(t, jobId)).status).toBe('queued')
    await pass(t, 2 * 24 * HOUR)
    expect(await getJob(t, jobId)).toMatchObject({ status: 'failed', errorCode: 'timed_out' })
    expect(server.seen.at(-1)).toMatchObject({ method: 'POST', path: '/api/v1/jobs/job_1/cancel' })
    expect(vi.getTimerCount()).toBe(0)
  })

  test('a video whose place the server tells a little later is waited for', async () => {
    const t = startComponent(server.url)
    const jobId = await createJob(t)
    state = { status: 'completed' }
    await pass(t, 60_000)
    expect((await getJob(t, jobId)).status).toBe('queued')
    state = { status: 'completed', result_url: VIDEO }
    await pass(t, 60_000)
    expect(await getJob(t, jobId)).toMatchObject({ status: 'completed', outputVideoUrl: VIDEO })
  })

  test('a video that is nowhere is not asked for for ever', async () => {
    const t = startComponent(server.url)
    const jobId = await createJob(t)
    state = { status: 'completed' }
    await pass(t, HOUR)
    expect(await getJob(t, jobId)).toMatchObject({ status: 'failed', errorCode: 'result_missing' })
    expect(polls().length).toBeLessThan(30)
    expect(vi.getTimerCount()).toBe(0)
  })
})

test('an answer that comes after the end changes nothing', async () => {
  const t = startComponent(server.url)
  const jobId = await insertJob(t, { status: 'canceled' })
  await t.mutation(internal.polling.recordAnswer, {
    jobId,
    answer: { status: 'completed', progress: 100, videoUrl: VIDEO },
  })
  await t.mutation(internal.polling.recordAnswer, { jobId, answer: { status: 'processing', progress: 50 } })
  expect((await getJob(t, jobId)).status).toBe('canceled')
})

test('a job that is tried again on the server goes back to queued', async () => {
  const t = startComponent(server.url)
  const jobId = await createJob(t)
  state = { status: 'processing', progress: 30 }
  await pass(t, 10_000)
  state = { status: 'queued' }
  await pass(t, 60_000)
  expect((await getJob(t, jobId)).status).toBe('queued')
})

test('a job that the server has lost fails', async () => {
  const t = startComponent(server.url)
  const jobId = await createJob(t)
  await pass(t)
  server.answer(() => ({ status: 404, body: { error: 'Job not found', code: 'job_not_found' } }))
  await pass(t, 10_000)
  expect(await getJob(t, jobId)).toMatchObject({ status: 'failed', errorCode: 'job_lost' })
})

test('a server that is silent for an hour costs nothing; one that is silent for more than a day, the job', async () => {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const t = startComponent(server.url)
  const patient = await createJob(t)
  await pass(t)
  vi.stubEnv('VIDEO_API_URL', await closedUrl())
  await pass(t, HOUR)
  expect((await getJob(t, patient)).status).toBe('queued')
  expect(warn.mock.calls[0]?.[0]).toMatch(/could not ask about job .*Could not reach the server/)

  vi.stubEnv('VIDEO_API_URL', server.url)
  await pass(t, HOUR)
  vi.stubEnv('VIDEO_API_URL', await closedUrl())
  await pass(t, 23 * HOUR)
  expect((await getJob(t, patient)).status).toBe('queued')
  await pass(t, 2 * HOUR)
  expect(await getJob(t, patient)).toMatchObject({ status: 'failed', errorCode: 'server_unreachable' })
})
