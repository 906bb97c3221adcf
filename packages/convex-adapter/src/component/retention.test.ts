// @vitest-environment edge-runtime
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Component, insertJob, pass, startComponent } from '../../test/component.ts'
import { startScriptedServer } from '../../test/scripted-server.ts'
import { api } from './_generated/api.ts'

const DAY = 24 * 3_600_000
let server: Awaited<ReturnType<typeof startScriptedServer>>

beforeEach(async () => {
  vi.useFakeTimers({ now: new Date('2026-03-14T09:26:53Z') })
  server = await startScriptedServer(() => ({ status: 204, body: null }))
})
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  await server.close()
})

const left = (t: Component) => t.run((ctx) => ctx.db.query('videoJobs').collect())

test('jobs that ended long ago are removed in batches, here and on the server; younger and open ones stay', async () => {
  const t = startComponent(server.url)
  for (let index = 0; index < 250; index++) {
    await insertJob(t, { status: 'completed', externalJobId: `old_${index}`, completedAt: Date.now() - 31 * DAY })
  }
  const young = await insertJob(t, { status: 'failed', externalJobId: 'young', completedAt: Date.now() - 29 * DAY })
  const open = await insertJob(t, { status: 'queued', externalJobId: 'open', createdAt: Date.now() - 60 * DAY })

  expect(await t.mutation(api.retention.cleanUp, { olderThan: 30 * DAY })).toBe(100)
  await pass(t, 60_000)

  expect((await left(t)).map(({ _id }) => _id)).toEqual([young, open])
  expect(new Set(server.seen.map(({ method, path }) => `${method} ${path}`)).size).toBe(250)
  expect(server.seen).toHaveLength(250)
})

test('an age that is none removes nothing', async () => {
  const t = startComponent(server.url)
  await insertJob(t, { status: 'completed', completedAt: 1 })
  await expect(t.mutation(api.retention.cleanUp, { olderThan: -1 })).rejects.toThrow('olderThan: must be')
  await expect(t.mutation(api.retention.cleanUp, { olderThan: Number.NaN })).rejects.toThrow('olderThan: must be')
  expect(await left(t)).toHaveLength(1)
})

test('all of a user goes, whatever its state, and the app is told what lies in its storage', async () => {
  const t = startComponent(server.url)
  await insertJob(t, { status: 'processing', externalJobId: 'one', sourceImageId: 'picture_1' })
  await insertJob(t, {
    status: 'completed',
    externalJobId: 'two',
    sourceImageId: 'picture_1',
    videoStorageId: 'copy_2',
  })
  const other = await insertJob(t, { userId: 'bob', externalJobId: 'three' })
  expect(await t.mutation(api.retention.removeUser, { userId: 'ada' })).toEqual({
    removed: 2,
    isDone: true,
    copies: ['copy_2'],
    pictures: ['picture_1'],
  })
  await pass(t, 60_000)
  expect((await left(t)).map(({ _id }) => _id)).toEqual([other])
  expect(server.seen.map(({ path }) => path).toSorted()).toEqual(['/api/v1/jobs/one', '/api/v1/jobs/two'])
  expect(await t.run((ctx) => ctx.db.query('tombstones').collect())).toEqual([])
})
