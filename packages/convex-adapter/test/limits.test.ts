// @vitest-environment edge-runtime
/** What an app may decide before a job is made, whose job a function may touch, and how a user leaves. */
import { Kinora } from '@kinora/convex'
import type { ComponentApi } from '@kinora/convex/_generated/component.js'
import { register } from '@kinora/convex/test'
import { convexTest } from 'convex-test'
import { componentsGeneric, defineSchema, defineTable, makeFunctionReference, mutationGeneric } from 'convex/server'
import { ConvexError, type GenericId, v } from 'convex/values'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { pass } from './component.ts'
import { startScriptedServer, wireJob } from './scripted-server.ts'

const components = componentsGeneric() as unknown as { kinora: ComponentApi<'kinora'> }
const kinora = new Kinora(components.kinora)
const schema = defineSchema({ refusals: defineTable({ userId: v.string() }) })
const looked: unknown[] = []

/** An app with a limit of two open jobs, a look at prompts, and a way out for its users. */
const functions = {
  ...kinora.api({
    getUserId: async (ctx) => (await ctx.auth.getUserIdentity())?.subject ?? null,
    beforeCreate: async (ctx, request) => {
      looked.push(request)
      if ((await kinora.countOpen(ctx, request.userId)) >= 2) {
        throw new ConvexError({ code: 'too_many_jobs', message: 'Two at once, please.' })
      }
    },
    beforeUpload: (_ctx, userId) => {
      if (userId === 'Mallory') throw new ConvexError({ code: 'blocked', message: 'No.' })
    },
  }),
  leave: mutationGeneric({
    args: { userId: v.string(), pictures: v.optional(v.boolean()) },
    handler: async (ctx, { userId, ...options }) => kinora.removeUser(ctx, userId, options),
  }),
}
const create = makeFunctionReference<'mutation', { sourceImageId: GenericId<'_storage'>; prompt?: string }, string>(
  'videos:create',
)
const generateUploadUrl = makeFunctionReference<'mutation', Record<string, never>, string>('videos:generateUploadUrl')
const leave = makeFunctionReference<
  'mutation',
  { userId: string; pictures?: boolean },
  { removed: number; isDone: boolean }
>('videos:leave')

let server: Awaited<ReturnType<typeof startScriptedServer>>
let app: ReturnType<typeof start>

function start() {
  const modules = { '/convex/_generated/api.js': async () => ({}), '/convex/videos.ts': async () => functions }
  const t = convexTest({ schema, modules })
  register(t)
  return t
}

beforeEach(async () => {
  vi.useFakeTimers()
  looked.length = 0
  let made = 0
  server = await startScriptedServer(({ method }) => ({
    status: method === 'POST' ? 201 : 200,
    body: wireJob({ job_id: `job_${++made}` }),
  }))
  vi.stubEnv('VIDEO_API_URL', server.url)
  vi.stubEnv('VIDEO_API_KEY', 'key')
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  app = start()
})
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  await server.close()
})

const photo = () => app.run((ctx) => ctx.storage.store(new Blob(['picture'], { type: 'image/jpeg' })))

describe('beforeCreate', () => {
  test('is told who asks for what, and refuses in the app’s words; nothing is made then', async () => {
    const ada = app.withIdentity({ subject: 'Ada' })
    const sourceImageId = await photo()
    await ada.mutation(create, { sourceImageId, prompt: 'one' })
    await ada.mutation(create, { sourceImageId, prompt: 'two' })
    await expect(ada.mutation(create, { sourceImageId, prompt: 'three' })).rejects.toMatchObject({
      data: { code: 'too_many_jobs' },
    })
    expect(looked.at(-1)).toEqual({ userId: 'Ada', sourceImageId, prompt: 'three' })
    await pass(app)
    expect(server.seen).toHaveLength(2)
    await app.withIdentity({ subject: 'Bob' }).mutation(create, { sourceImageId })
  })

  test('comes after signing in', async () => {
    await expect(app.mutation(create, { sourceImageId: await photo() })).rejects.toMatchObject({
      data: { code: 'unauthenticated' },
    })
    expect(looked).toEqual([])
  })
})

test('beforeUpload can refuse an upload', async () => {
  await expect(app.withIdentity({ subject: 'Mallory' }).mutation(generateUploadUrl, {})).rejects.toMatchObject({
    data: { code: 'blocked' },
  })
  expect(await app.withIdentity({ subject: 'Ada' }).mutation(generateUploadUrl, {})).toMatch(/^https/)
})

test('a user who leaves takes jobs, copies and, if asked for, pictures along', async () => {
  const ada = app.withIdentity({ subject: 'Ada' })
  const picture = await photo()
  await ada.mutation(create, { sourceImageId: picture })
  await pass(app)
  expect(await app.mutation(leave, { userId: 'Ada' })).toEqual({ removed: 1, isDone: true })
  expect(await app.run((ctx) => ctx.storage.getUrl(picture))).not.toBeNull()

  await ada.mutation(create, { sourceImageId: picture })
  await app.mutation(leave, { userId: 'Ada', pictures: true })
  expect(await app.run((ctx) => ctx.storage.getUrl(picture))).toBeNull()
  // A picture that the app deleted itself is no trouble.
  expect(await app.mutation(leave, { userId: 'Ada', pictures: true })).toEqual({ removed: 0, isDone: true })
  await pass(app, 60_000)
  expect(server.seen.filter(({ method }) => method === 'DELETE')).toHaveLength(1)
})

describe('whose job it may be', () => {
  const ctx = { runQuery: vi.fn(), runMutation: vi.fn(), storage: { getUrl: vi.fn() } }
  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['an empty scope', {}],
    ['a user without an id', { userId: undefined }],
    ['a user with an empty one', { userId: '' }],
    ['any: false', { any: false }],
  ])('is never everybody’s for %s', async (_, scope) => {
    // What a caller without types, or with a user that is not signed in, passes.
    const wrong = scope as { userId: string }
    await expect(kinora.get(ctx as never, 'job', wrong)).rejects.toThrow('Say whose job it may be')
    await expect(kinora.cancel(ctx as never, 'job', wrong)).rejects.toThrow('Say whose job it may be')
    await expect(kinora.remove(ctx as never, 'job', wrong)).rejects.toThrow('Say whose job it may be')
    await expect(kinora.videoUrl(ctx as never, 'job', wrong)).rejects.toThrow('Say whose job it may be')
    expect(ctx.runQuery).not.toHaveBeenCalled()
    expect(ctx.runMutation).not.toHaveBeenCalled()
  })
})
