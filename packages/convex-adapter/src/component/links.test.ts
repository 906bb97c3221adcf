// @vitest-environment edge-runtime
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { getJob, insertJob, pass, startComponent } from '../../test/component.ts'
import { startScriptedServer, wireJob } from '../../test/scripted-server.ts'
import { api, internal } from './_generated/api.ts'
import { linkEnd } from './link_end.ts'

const HOUR = 3_600_000
const NOW = Date.parse('2026-03-14T09:26:53Z')
let server: Awaited<ReturnType<typeof startScriptedServer>>

/** A link as Kinora's own storage signs it. */
const link = (name: string, expires: number) => `https://v.example.com/${name}?expires=${expires / 1000}&signature=abc`

beforeEach(async () => {
  vi.useFakeTimers({ now: NOW })
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  server = await startScriptedServer(() => ({
    body: wireJob({
      status: 'completed',
      result_url: link('new.mp4', Date.now() + 168 * HOUR),
      poster_url: link('new.jpg', Date.now() + 168 * HOUR),
    }),
  }))
})
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  await server.close()
})

test.each([
  [
    'https://b.r2.example.com/o.mp4?X-Amz-Date=20260314T092653Z&X-Amz-Expires=604800&X-Amz-Signature=a',
    NOW + 168 * HOUR,
  ],
  [link('a.mp4', NOW), NOW],
  ['https://cdn.example.com/o.mp4', undefined],
  ['https://cdn.example.com/o.mp4?expires=soon&signature=a', undefined],
  ['https://cdn.example.com/o.mp4?X-Amz-Date=yesterday&X-Amz-Expires=5', undefined],
])('%s ends then', (url, end) => {
  expect(linkEnd(url)).toBe(end)
})

test('a job tells when its links run out', async () => {
  const t = startComponent(server.url)
  const jobId = await insertJob(t)
  await t.mutation(internal.completion.completeJob, {
    externalJobId: 'job_1',
    videoUrl: link('a.mp4', NOW + 168 * HOUR),
  })
  expect(await getJob(t, jobId)).toMatchObject({ linksExpireAt: NOW + 168 * HOUR })
})

describe('renew', () => {
  async function start(linksExpireAt: number | undefined) {
    const t = startComponent(server.url)
    const old = { outputVideoUrl: link('old.mp4', NOW), posterUrl: link('old.jpg', NOW) }
    const jobId = await insertJob(t, {
      status: 'completed',
      ...old,
      ...(linksExpireAt === undefined ? {} : { linksExpireAt }),
    })
    return { t, jobId }
  }

  test('puts fresh links into the job, for its owner', async () => {
    const { t, jobId } = await start(NOW - HOUR)
    expect(await t.mutation(api.links.renew, { jobId, userId: 'bob' })).toBe(false)
    expect(await t.mutation(api.links.renew, { jobId, userId: 'ada' })).toBe(true)
    await pass(t)
    expect(await getJob(t, jobId)).toMatchObject({
      outputVideoUrl: expect.stringContaining('/new.mp4'),
      posterUrl: expect.stringContaining('/new.jpg'),
      linksExpireAt: NOW + 168 * HOUR,
    })
    expect(await t.mutation(api.links.renew, { jobId })).toBe(false)
    await pass(t, 100 * HOUR)
    expect(server.seen).toHaveLength(1)
    expect(vi.getTimerCount()).toBe(0)
  })

  test.each([
    ['last', NOW + 2 * HOUR],
    ['do not run out', undefined],
  ])('does nothing where the links %s', async (_, end) => {
    const { t, jobId } = await start(end)
    expect(await t.mutation(api.links.renew, { jobId })).toBe(false)
    await pass(t)
    expect(server.seen).toEqual([])
  })

  test('asks a server that is down once a minute, however many look', async () => {
    const { t, jobId } = await start(NOW)
    server.answer(() => ({ status: 503 }))
    for (let second = 0; second < 130; second += 10) {
      await t.mutation(api.links.renew, { jobId })
      await pass(t, 10_000)
    }
    expect(server.seen).toHaveLength(2)
    expect(await getJob(t, jobId)).toMatchObject({ outputVideoUrl: link('old.mp4', NOW) })
  })
})

test('freshLinks are the server’s, for the owner only', async () => {
  const t = startComponent(server.url)
  const jobId = await insertJob(t, { status: 'completed' })
  expect(await t.action(api.links.freshLinks, { jobId, userId: 'bob' })).toBeNull()
  expect(await t.action(api.links.freshLinks, { jobId, userId: 'ada' })).toEqual({
    videoUrl: expect.stringContaining('/new.mp4'),
    posterUrl: expect.stringContaining('/new.jpg'),
  })
})
