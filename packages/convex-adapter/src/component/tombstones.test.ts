// @vitest-environment edge-runtime
import { signWebhook } from '@kinora/protocol'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type Component, createJob, getJob, insertJob, pass, SECRET, startComponent } from '../../test/component.ts'
import { type ScriptedAnswer, startScriptedServer, wireJob } from '../../test/scripted-server.ts'
import { api } from './_generated/api.ts'

const HOUR = 3_600_000
let server: Awaited<ReturnType<typeof startScriptedServer>>
let warn: ReturnType<typeof vi.spyOn>

beforeEach(async () => {
  vi.useFakeTimers()
  warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  server = await startScriptedServer(healthy)
})
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  await server.close()
})

function healthy({ method }: { method: string }): ScriptedAnswer {
  if (method === 'DELETE') return { status: 204, body: null }
  return { status: method === 'POST' ? 201 : 200, body: wireJob() }
}

const SUBMIT = 'POST /api/v1/generate'
const CANCEL = 'POST /api/v1/jobs/job_1/cancel'
const REMOVE = 'DELETE /api/v1/jobs/job_1'
const calls = () => server.seen.map(({ method, path }) => `${method} ${path}`)
const tombstones = (t: Component) => t.run((ctx) => ctx.db.query('tombstones').collect())

/** A job that the server has, though its answer was lost. */
async function startUnheard(t: Component, args: Parameters<typeof createJob>[1] = {}) {
  server.answer(() => 'cut')
  const jobId = await createJob(t, args)
  await pass(t, 100)
  return jobId
}

async function deliver(t: Component, jobId: string) {
  const body = JSON.stringify({
    type: 'job.completed',
    job_id: 'job_1',
    status: 'completed',
    video_url: 'https://v.example.com/1.mp4',
  })
  const headers = await signWebhook({ id: 'msg_1', timestamp: new Date(), body, secrets: [SECRET] })
  return t.fetch(`/video-complete?job=${jobId}`, { method: 'POST', headers, body })
}

describe('a job whose acceptance nobody heard of', () => {
  test.each([
    ['cancel', CANCEL],
    ['remove', REMOVE],
  ] as const)('is found by its key and ended on the server after %s', async (act, told) => {
    const t = startComponent(server.url)
    const jobId = await startUnheard(t)
    expect(await t.mutation(api.lib[act], { jobId })).toBe(true)
    await pass(t, 10_000)
    server.answer(healthy)
    await pass(t, HOUR)

    const submissions = server.seen.filter(({ path }) => path.endsWith('/generate'))
    expect(submissions.length).toBeGreaterThan(2)
    expect(new Set(submissions.map(({ headers, body }) => `${String(headers['idempotency-key'])} ${body}`)).size).toBe(
      1,
    )
    expect(calls().slice(-2)).toEqual([SUBMIT, told])
    expect(await tombstones(t)).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is ended at once when a late message names it', async () => {
    const t = startComponent(server.url)
    const jobId = await startUnheard(t)
    await t.mutation(api.lib.remove, { jobId })
    await pass(t, 1000)
    server.answer(({ method }) => (method === 'DELETE' ? { status: 204 } : 'cut'))
    expect((await deliver(t, jobId)).status).toBe(200)
    await pass(t, HOUR)
    expect(calls().at(-1)).toBe(REMOVE)
    expect(await tombstones(t)).toEqual([])
  })

  test('and that was canceled is known by its message, and removed without being sent again', async () => {
    const t = startComponent(server.url)
    const jobId = await startUnheard(t)
    await t.mutation(api.lib.cancel, { jobId })
    server.answer(healthy)
    expect((await deliver(t, jobId)).status).toBe(200)
    await pass(t, HOUR)
    expect(await getJob(t, jobId)).toMatchObject({ status: 'canceled', externalJobId: 'job_1' })
    const before = calls().length
    await t.mutation(api.lib.remove, { jobId })
    await pass(t, HOUR)
    expect(calls().slice(before)).toEqual([REMOVE])
  })

  test('is canceled on the server when its submission is given up', async () => {
    const t = startComponent(server.url)
    const jobId = await startUnheard(t, { maxAttempts: 2 })
    await pass(t, 60_000)
    expect((await getJob(t, jobId)).status).toBe('failed')
    server.answer(healthy)
    await pass(t, HOUR)
    expect(calls().slice(-2)).toEqual([SUBMIT, CANCEL])
  })

  test('is left alone once the server says for good that it makes no such job', async () => {
    const t = startComponent(server.url)
    const jobId = await startUnheard(t)
    await t.mutation(api.lib.remove, { jobId })
    server.answer(() => ({ status: 400, body: { error: 'Unknown model', code: 'unknown_model' } }))
    await pass(t, HOUR)
    expect(await tombstones(t)).toEqual([])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is asked about by nobody while the attempt that is under way may still tell', async () => {
    const t = startComponent(server.url)
    const jobId = await createJob(t)
    server.answer(() => 'never')
    vi.advanceTimersByTime(0)
    await vi.waitFor(() => expect(calls()).toEqual([SUBMIT]))
    await t.mutation(api.lib.remove, { jobId })
    vi.advanceTimersByTime(60_000)
    expect(calls()).toEqual([SUBMIT])
    // The action never comes back: the clock finds the job.
    server.answer(healthy)
    vi.advanceTimersByTime(120_000)
    await vi.waitFor(() => {
      vi.advanceTimersByTime(1)
      expect(calls()).toEqual([SUBMIT, SUBMIT, REMOVE])
    })
  })
})

test.each<[string, ScriptedAnswer]>([
  ['a key change', { status: 401, body: { error: 'Unauthorized', code: 'unauthorized' } }],
  ['a firewall', { status: 403, body: 'no' }],
  ['a proxy’s page', { status: 404, body: '<html>' }],
  ['an answer of the server that would end a submission', { status: 409, body: { error: 'Held', code: 'lease_lost' } }],
  ['trouble', { status: 503 }],
])('a removal is repeated until the server confirms it, also past %s', async (_, answer) => {
  const t = startComponent(server.url)
  const jobId = await createJob(t)
  await pass(t, 100)
  server.answer(() => answer)
  await t.mutation(api.lib.remove, { jobId })
  await pass(t, 3 * HOUR)
  const tries = calls().filter((call) => call === REMOVE).length
  expect(tries).toBeGreaterThan(10)
  expect(tries).toBeLessThan(20)
  expect(warn).toHaveBeenCalledTimes(1)

  server.answer(healthy)
  await pass(t, 2 * HOUR)
  expect(calls().filter((call) => call === REMOVE)).toHaveLength(tries + 1)
  expect(await tombstones(t)).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})

test('a job that the server does not know any more needs no second removal', async () => {
  const t = startComponent(server.url)
  const jobId = await insertJob(t)
  server.answer(() => ({ status: 404, body: { error: 'Job not found', code: 'job_not_found' } }))
  await t.mutation(api.lib.remove, { jobId })
  await pass(t, HOUR)
  expect(calls()).toEqual([REMOVE])
  expect(warn).not.toHaveBeenCalled()
})

test('a removal whose action died is begun anew', async () => {
  const t = startComponent(server.url)
  const jobId = await insertJob(t)
  server.answer(() => 'never')
  await t.mutation(api.lib.remove, { jobId })
  vi.advanceTimersByTime(0)
  await vi.waitFor(() => expect(calls()).toEqual([REMOVE]))
  server.answer(healthy)
  vi.advanceTimersByTime(3 * 60_000 + 1)
  await vi.waitFor(() => {
    vi.advanceTimersByTime(1)
    expect(calls()).toEqual([REMOVE, REMOVE])
  })
  await vi.waitFor(async () => expect(await tombstones(t)).toEqual([]))
})

test('a job that is removed while its cancel is on the way is removed, whichever is answered first', async () => {
  const t = startComponent(server.url)
  const jobId = await insertJob(t)
  server.answer(({ path, method }) => {
    if (path.endsWith('/cancel')) void t.mutation(api.lib.remove, { jobId })
    return healthy({ method })
  })
  await t.mutation(api.lib.cancel, { jobId })
  await pass(t, HOUR)
  expect(calls()).toEqual([CANCEL, REMOVE])
  expect(await tombstones(t)).toEqual([])
})

test('a job that certainly never reached the server is not sent to be removed', async () => {
  const t = startComponent(server.url)
  server.answer(() => ({ status: 401, body: { error: 'Invalid API key', code: 'unauthorized' } }))
  const jobId = await createJob(t)
  await pass(t, 10_000)
  const before = calls().length
  await t.mutation(api.lib.remove, { jobId })
  await pass(t, HOUR)
  expect(calls()).toHaveLength(before)
  expect(await tombstones(t)).toEqual([])
})
