// @vitest-environment happy-dom
/** Lists that stay whole: the hooks in a real client of Convex, against the component's own queries. */
import { usePaginatedJobs, videoHooks } from '@kinora/convex/react'
import { ConvexProvider, usePaginatedQuery } from 'convex/react'
import { makeFunctionReference, type PaginationOptions, type PaginationResult } from 'convex/server'
import { act, createElement, StrictMode } from 'react'
import { createRoot, type Root } from 'react-dom/client'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Id } from '../src/component/_generated/dataModel.ts'
import type { VideoJob } from '../src/component/job.ts'
import { type Component, insertJob, startComponent } from './component.ts'
import { startSyncBackend } from './sync-backend.ts'

const list = makeFunctionReference<
  'query',
  { userId: string; paginationOpts: PaginationOptions },
  PaginationResult<VideoJob>
>('lib:listByUser')
type List = ReturnType<typeof usePaginatedJobs<typeof list>>
type Hook = (query: typeof list, args: { userId: string }, options: { initialNumItems: number }) => List

/** Of all pages that were read. */
const pageLengths: number[] = []
let t: Component
let backend: ReturnType<typeof startSyncBackend>
let root: Root
let shown: List

beforeEach(() => {
  vi.stubGlobal('IS_REACT_ACT_ENVIRONMENT', true)
  t = startComponent('')
  pageLengths.length = 0
  backend = startSyncBackend(async (path, args) => {
    const result = await t.query(makeFunctionReference<'query'>(path), args)
    if (path === 'lib:listByUser') pageLengths.push(result.page.length)
    return result
  })
  root = createRoot(document.createElement('div'))
})
afterEach(async () => {
  await act(async () => root.unmount())
  await backend.close()
  vi.unstubAllGlobals()
  vi.unstubAllEnvs()
})

async function show(hook: Hook, initialNumItems: number, userId = 'ada') {
  function Jobs() {
    shown = hook(list, { userId }, { initialNumItems })
    return null
  }
  const tree = createElement(ConvexProvider, { client: backend.client }, createElement(Jobs))
  await act(async () => root.render(createElement(StrictMode, null, tree)))
  await settled()
}

/** Waits until nothing is being loaded or replaced any more. */
async function settled() {
  let before: string
  do {
    before = state()
    await act(async () => {
      for (let turn = 0; turn < 20; turn++) await Promise.resolve()
      await new Promise((resolve) => setTimeout(resolve, 20))
      await backend.changed()
    })
  } while (state() !== before || shown.status === 'LoadingFirstPage' || shown.status === 'LoadingMore')
}

const state = () => JSON.stringify([backend.watched(), shown?.status, shown?.results.length])
const ids = () => shown.results.map(({ _id }) => _id)
const stored = async (userId = 'ada') =>
  (
    await t.run((ctx) =>
      ctx.db
        .query('videoJobs')
        .withIndex('by_user', (q) => q.eq('userId', userId))
        .order('desc')
        .collect(),
    )
  ).map(({ _id }) => String(_id))

async function insert(count: number): Promise<Id<'videoJobs'>[]> {
  const made: Id<'videoJobs'>[] = []
  for (let index = 0; index < count; index++) made.unshift(await insertJob(t, { externalJobId: `job_${index}` }))
  return made
}
/** The same for many, in one transaction. */
async function insertMany(count: number): Promise<void> {
  const id = await insertJob(t)
  await t.run(async (ctx) => {
    const job = await ctx.db.get(id)
    if (job === null) throw new Error('The job is gone.')
    const { _id, _creationTime, ...fields } = job
    for (let index = 1; index < count; index++) await ctx.db.insert('videoJobs', fields)
  })
}

async function loadMore(count: number) {
  await act(async () => shown.loadMore(count))
  await settled()
}

describe('usePaginatedJobs', () => {
  test('shows a page, and more when asked, to the end', async () => {
    const made = await insert(7)
    await show(usePaginatedJobs, 3)
    expect([ids(), shown.status]).toEqual([made.slice(0, 3), 'CanLoadMore'])
    await loadMore(3)
    expect([ids(), shown.status]).toEqual([made.slice(0, 6), 'CanLoadMore'])
    await loadMore(3)
    expect([ids(), shown.status]).toEqual([made, 'Exhausted'])
  })

  test('lets no job vanish when a new one comes, on whichever page', async () => {
    const made = await insert(9)
    await show(usePaginatedJobs, 3)
    const [first] = await insert(1)
    await settled()
    expect(ids()).toEqual([first, ...made.slice(0, 3)])
    await loadMore(3)
    const [second] = await insert(1)
    await settled()
    expect(ids()).toEqual([second, first, ...made.slice(0, 6)])
    await loadMore(10)
    expect(ids()).toEqual(await stored())
  })

  test('shows none twice and misses none when jobs are removed at the seams', async () => {
    const made = await insert(12)
    await show(usePaginatedJobs, 3)
    await loadMore(3)
    await loadMore(3)
    const removed = [2, 3, 5, 6, 8].map((index) => made[index])
    await t.run(async (ctx) => {
      for (const id of removed) if (id !== undefined) await ctx.db.delete(id)
    })
    await settled()
    expect(ids()).toEqual(made.slice(0, 9).filter((id) => !removed.includes(id)))
    await loadMore(10)
    expect(ids()).toEqual(await stored())
  })

  test('stays whole while a page grows past what one query reads', { timeout: 60_000 }, async () => {
    await insertMany(300)
    await show(usePaginatedJobs, 100)
    await loadMore(100)
    await insertMany(1050)
    await settled()
    const all = await stored()
    expect(ids()).toEqual(all.slice(0, 1250))
    await loadMore(1000)
    expect(ids()).toEqual(all)
    expect(Math.max(...pageLengths)).toBeLessThanOrEqual(1000)
  })

  test('begins anew for another user', async () => {
    await insert(5)
    const other = await insertJob(t, { userId: 'bob' })
    await show(usePaginatedJobs, 3)
    await loadMore(3)
    await show(usePaginatedJobs, 3, 'bob')
    expect([ids(), shown.status]).toEqual([[other], 'Exhausted'])
  })

  test('asked twice for more, asks once', async () => {
    const made = await insert(9)
    await show(usePaginatedJobs, 3)
    await act(async () => {
      shown.loadMore(3)
      shown.loadMore(3)
    })
    await settled()
    expect(ids()).toEqual(made.slice(0, 6))
  })
})

test('Convex’s own hook is no way around it: over a component’s queries, a new job pushes an old one out', async () => {
  const made = await insert(9)
  const own: Hook = (query, args, options) => usePaginatedQuery(query, args, options)
  await show(own, 3)
  await loadMore(3)
  const [added] = await insert(1)
  await settled()
  expect(ids()).toEqual([added, made[0], made[1], ...made.slice(3, 6)])
})

test('useVideoJob has links renewed before they run out, also while the page stays open', async () => {
  vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] })
  const HOUR = 3_600_000
  const reference = { linksExpireAt: Date.now() + 5 * HOUR, status: 'completed' } as const
  const jobId = await insertJob(t, reference)
  const hooks = videoHooks({
    get: makeFunctionReference<'query', { jobId: string }, VideoJob | null>('lib:get'),
    listByUser: makeFunctionReference<'query', Record<string, never>, VideoJob[]>('lib:listByUser'),
    renew: makeFunctionReference<'mutation', { jobId: string }, boolean>('links:renew'),
  })
  const mutation = vi.spyOn(backend.client, 'mutation').mockResolvedValue(true)
  let job: VideoJob | null | undefined
  function Watch() {
    job = hooks.useVideoJob(jobId)
    return null
  }
  const tree = createElement(ConvexProvider, { client: backend.client }, createElement(Watch))
  await act(async () => root.render(tree))
  await vi.waitFor(async () => {
    await act(async () => vi.advanceTimersByTime(10))
    expect(job?._id).toBe(jobId)
  })
  await act(async () => vi.advanceTimersByTime(4 * HOUR))
  expect(mutation).not.toHaveBeenCalled()
  await act(async () => vi.advanceTimersByTime(15 * 60_000))
  expect(mutation.mock.calls.map(([, args]) => args)).toEqual([{ jobId }])
  vi.useRealTimers()
})
