// @vitest-environment edge-runtime
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Component, createJob, getJob, insertJob, pass, startComponent } from '../../test/component.ts'
import { startScriptedServer, wireJob } from '../../test/scripted-server.ts'
import { api, internal } from './_generated/api.ts'

let server: Awaited<ReturnType<typeof startScriptedServer>>

beforeEach(async () => {
  vi.useFakeTimers()
  server = await startScriptedServer(({ method }) => ({ status: method === 'POST' ? 201 : 200, body: wireJob() }))
})
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  await server.close()
})

const calls = () => server.seen.map(({ method, path }) => `${method} ${path}`)

describe('create says which argument is outside which limit', () => {
  test.each([
    [{ duration: 11 }, 'duration: must be at most 10, not 11'],
    [{ duration: 2.5 }, 'duration: must be a whole number, not 2.5'],
    [{ prompt: 'x'.repeat(4001) }, 'prompt: must have at most 4000 characters, not 4001'],
    [{ settings: { width: 1000 } }, 'width: must be a multiple of 32'],
    [{ settings: { width: 2048, height: 2048 } }, 'width x height is 4194304 pixels'],
    [{ settings: { fps: 61 } }, 'fps: must be at most 60, not 61'],
    [{ settings: { seed: -1 } }, 'seed: must be at least 0, not -1'],
    [{ settings: { model: 'No Such' } }, 'model: must be a model name'],
    [{ imageUrl: 'file:///etc/passwd' }, 'image: must be an http or https URL'],
    [{ webhookUrl: 'ftp://hook' }, 'webhook_url: must be an http or https URL'],
    [{ maxAttempts: 0 }, 'maxAttempts: must be a whole number from 1 to 100'],
    [{ userId: '' }, 'userId is empty'],
  ])('%j', async (args, message) => {
    const t = startComponent(server.url)
    await expect(createJob(t, args)).rejects.toMatchObject({
      data: { code: 'invalid_request', message: expect.stringContaining(message) },
    })
    expect(await t.run((ctx) => ctx.db.query('videoJobs').collect())).toEqual([])
  })
})

test('create takes a context of 8192 bytes, as Convex counts them, and not of one more', async () => {
  const t = startComponent(server.url)
  await createJob(t, { context: 'x'.repeat(8190) })
  await expect(createJob(t, { context: 'x'.repeat(8191) })).rejects.toMatchObject({
    data: { code: 'invalid_request', message: 'context: has 8193 bytes; at most 8192 are allowed' },
  })
})

test('another user’s job is null, and so are ids that are none', async () => {
  const t = startComponent(server.url)
  const jobId = await createJob(t, { userId: 'ada' })
  expect(await t.query(api.lib.get, { jobId, userId: 'ada' })).toMatchObject({ _id: jobId })
  expect(await t.query(api.lib.get, { jobId, userId: 'bob' })).toBeNull()
  expect(await t.query(api.lib.get, { jobId: 'nonsense' })).toBeNull()
  expect(await t.mutation(api.lib.cancel, { jobId, userId: 'bob' })).toBe(false)
  expect(await t.mutation(api.lib.remove, { jobId, userId: 'bob' })).toBe(false)
  expect((await getJob(t, jobId)).status).toBe('uploading')
})

test('a job shows nothing of the component’s bookkeeping', async () => {
  const t = startComponent(server.url)
  const job = await getJob(t, await createJob(t, { onComplete: 'function://;x:y', context: { album: 'a' } }))
  expect(Object.keys(job).toSorted()).toEqual([
    '_creationTime',
    '_id',
    'context',
    'createdAt',
    'durationSeconds',
    'settings',
    'status',
    'userId',
  ])
})

describe('listByUser', () => {
  async function page(t: Component, cursor: string | null, endCursor: string | null = null) {
    return t.query(api.lib.listByUser, { userId: 'ada', paginationOpts: { numItems: 2, cursor, endCursor } })
  }

  test('shows a user’s own, newest first, a page at a time', async () => {
    const t = startComponent(server.url)
    const ids: string[] = []
    for (let count = 0; count < 5; count++) ids.unshift(await insertJob(t, { externalJobId: `job_${count}` }))
    await insertJob(t, { userId: 'bob' })

    const first = await page(t, null)
    const second = await page(t, first.continueCursor)
    const third = await page(t, second.continueCursor)
    expect([first, second, third].map((one) => one.page.map(({ _id }) => _id))).toEqual([
      ids.slice(0, 2),
      ids.slice(2, 4),
      ids.slice(4),
    ])
    expect([first.isDone, second.isDone, third.isDone]).toEqual([false, false, true])
    expect((await page(t, third.continueCursor)).page).toEqual([])
  })

  test('keeps pages adjacent while new jobs come', async () => {
    const t = startComponent(server.url)
    const ids: string[] = []
    for (let count = 0; count < 4; count++) ids.unshift(await insertJob(t))
    const first = await page(t, null)
    const added = await insertJob(t)
    const again = await page(t, null, first.continueCursor)
    expect(again.page.map(({ _id }) => _id)).toEqual([added, ...ids.slice(0, 2)])
    expect(again.continueCursor).toBe(first.continueCursor)
  })
})

describe('cancel', () => {
  test('shows at once, and the server is told', async () => {
    const t = startComponent(server.url)
    const jobId = await createJob(t)
    await pass(t)
    expect(await t.mutation(api.lib.cancel, { jobId })).toBe(true)
    expect((await getJob(t, jobId)).status).toBe('canceled')
    await pass(t)
    expect(calls()).toEqual(['POST /api/v1/generate', 'POST /api/v1/jobs/job_1/cancel'])
    expect(await t.mutation(api.lib.cancel, { jobId })).toBe(false)
  })

  test('before the job was sent keeps it from being sent', async () => {
    const t = startComponent(server.url)
    const jobId = await createJob(t)
    await t.mutation(api.lib.cancel, { jobId })
    await pass(t, 600_000)
    expect(calls()).toEqual([])
    expect((await getJob(t, jobId)).status).toBe('canceled')
  })

  test('while the job is being sent reaches the server afterwards', async () => {
    const t = startComponent(server.url)
    const jobId = await createJob(t)
    server.answer(() => 'never')
    vi.advanceTimersByTime(0)
    await vi.waitFor(() => expect(calls()).toHaveLength(1))
    await t.mutation(api.lib.cancel, { jobId })
    const id = await t.run(async (ctx) => ctx.db.normalizeId('videoJobs', jobId))
    server.answer(() => ({ body: wireJob() }))
    if (id !== null) {
      await t.mutation(internal.submission.submitted, { jobId: id, externalJobId: 'job_1' })
    }
    vi.advanceTimersByTime(0)
    await vi.waitFor(() => expect(calls()).toContain('POST /api/v1/jobs/job_1/cancel'))
    expect((await getJob(t, jobId)).status).toBe('canceled')
  })

  test('is told again and again to a server that is down', async () => {
    const t = startComponent(server.url)
    const jobId = await insertJob(t)
    server.answer(() => ({ status: server.seen.length < 3 ? 503 : 200 }))
    await t.mutation(api.lib.cancel, { jobId })
    await pass(t, 60_000)
    expect(calls()).toEqual(Array.from({ length: 3 }, () => 'POST /api/v1/jobs/job_1/cancel'))
  })
})

describe('remove', () => {
  test('of a running job removes it here at once, then on the server, and nothing of it goes on', async () => {
    const t = startComponent(server.url)
    const jobId = await createJob(t)
    await pass(t, 6_000)
    expect(await t.mutation(api.lib.remove, { jobId })).toBe(true)
    expect(await t.query(api.lib.get, { jobId })).toBeNull()
    await pass(t, 3_600_000)
    expect(calls().filter((call) => call === 'DELETE /api/v1/jobs/job_1')).toHaveLength(1)
    expect(calls().at(-1)).toBe('DELETE /api/v1/jobs/job_1')
    expect(await t.run((ctx) => ctx.db.query('progress').collect())).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('while the job is being sent removes it from the server when it arrives', async () => {
    const t = startComponent(server.url)
    const jobId = await createJob(t)
    server.answer(({ method }) => {
      if (method === 'POST') void t.mutation(api.lib.remove, { jobId })
      return { status: 201, body: wireJob() }
    })
    await pass(t, 5_000)
    expect(calls()).toEqual(['POST /api/v1/generate', 'DELETE /api/v1/jobs/job_1'])
  })
})

test('open jobs of a user can be counted', async () => {
  const t = startComponent(server.url)
  for (const status of ['uploading', 'queued', 'processing', 'completed', 'failed', 'canceled'] as const) {
    await insertJob(t, { status })
  }
  await insertJob(t, { userId: 'bob' })
  expect(await t.query(api.lib.countOpen, { userId: 'ada' })).toBe(3)
  expect(await t.query(api.lib.countOpen, { userId: 'eve' })).toBe(0)
})

test('freshVideoUrl asks the server, for the owner only', async () => {
  const t = startComponent(server.url)
  const jobId = await insertJob(t, { status: 'completed', outputVideoUrl: 'https://videos.example.com/old.mp4' })
  server.answer(() => ({ body: wireJob({ status: 'completed', result_url: 'https://videos.example.com/new.mp4' }) }))
  expect(await t.action(api.lib.freshVideoUrl, { jobId, userId: 'ada' })).toBe('https://videos.example.com/new.mp4')
  expect(await t.action(api.lib.freshVideoUrl, { jobId, userId: 'bob' })).toBeNull()
})
