// @vitest-environment edge-runtime
/** The app of docs/convex-videojobs.md: its functions, fields, route and variables are those it had with a table of its own. */
import { Kinora, registerRoutes } from '@kinora/convex'
import type { ComponentApi } from '@kinora/convex/_generated/component.js'
import { register } from '@kinora/convex/test'
import { convexTest } from 'convex-test'
import { componentsGeneric, defineSchema, defineTable, httpRouter, makeFunctionReference } from 'convex/server'
import { type GenericId, v } from 'convex/values'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { pass } from './component.ts'
import { startScriptedServer, wireJob } from './scripted-server.ts'

const components = componentsGeneric() as unknown as { kinora: ComponentApi<'kinora'> }
const kinora = new Kinora(components.kinora)
const { create, get, listByUser } = kinora.api({
  getUserId: async (ctx) => (await ctx.auth.getUserIdentity())?.subject ?? null,
})
const http = httpRouter()
// convex-test mounts no components; their route under the prefix of the page is this one.
registerRoutes(http, components.kinora)

/** The old table, with what was made before. */
const schema = defineSchema({
  videoJobs: defineTable({ userId: v.string(), sourceImageId: v.id('_storage'), status: v.string() }),
})

/** What the app's pages call. */
interface PlanJob {
  userId: string
  sourceImageId?: GenericId<'_storage'>
  prompt?: string
  status: string
  externalJobId?: string
  outputVideoUrl?: string
  errorMessage?: string
  durationSeconds: number
  createdAt: number
  completedAt?: number
}
const api = {
  create: makeFunctionReference<
    'mutation',
    { sourceImageId: GenericId<'_storage'>; prompt?: string; durationSeconds?: number },
    string
  >('videoJobs:create'),
  get: makeFunctionReference<'query', { jobId: string }, PlanJob | null>('videoJobs:get'),
  listByUser: makeFunctionReference<'query', Record<string, never>, PlanJob[]>('videoJobs:listByUser'),
}
const SECRET = 'the-secret'
const NOW = Date.parse('2026-03-14T09:26:53Z')

let server: Awaited<ReturnType<typeof startScriptedServer>>
beforeEach(async () => {
  vi.useFakeTimers({ now: NOW })
  server = await startScriptedServer(() => ({ status: 201, body: wireJob() }))
})
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  await server.close()
})

function start() {
  const env = {
    VIDEO_API_URL: server.url,
    VIDEO_API_KEY: 'key',
    WEBHOOK_SECRET: SECRET,
    CONVEX_SITE_URL: 'https://happy-otter-123.convex.site/api/webhooks',
  }
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value)
  const t = convexTest({
    schema,
    modules: {
      '/convex/_generated/api.js': async () => ({}),
      '/convex/videoJobs.ts': async () => ({ create, get, listByUser }),
      '/convex/http.ts': async () => ({ default: http }),
    },
  })
  register(t)
  return t
}

/** A message of the original contract. */
function deliver(t: ReturnType<typeof start>, message: Record<string, string>, secret = SECRET) {
  const headers = { 'content-type': 'application/json', 'X-Webhook-Secret': secret }
  return t.fetch('/api/webhooks/video-complete', { method: 'POST', headers, body: JSON.stringify(message) })
}

test('create, get, listByUser, the route and the fields are as they were', async () => {
  const t = start()
  const ada = t.withIdentity({ subject: 'ada' })
  const sourceImageId = await t.run((ctx) => ctx.storage.store(new Blob(['picture'], { type: 'image/jpeg' })))
  const jobId = await ada.mutation(api.create, { sourceImageId })
  expect(await ada.query(api.get, { jobId })).toMatchObject({ status: 'uploading', durationSeconds: 5, createdAt: NOW })

  await pass(t)
  expect(JSON.parse(server.seen[0]?.body ?? '')).toMatchObject({
    duration: 5,
    webhook_url: expect.stringMatching(/^https:\/\/happy-otter-123\.convex\.site\/api\/webhooks\/video-complete\?/),
  })
  expect(await ada.query(api.get, { jobId })).toMatchObject({ status: 'queued', externalJobId: 'job_1' })

  const message = { job_id: 'job_1', status: 'completed', video_url: 'https://videos.example.com/1.mp4' }
  expect((await deliver(t, message, 'wrong')).status).toBe(401)
  const answer = await deliver(t, message)
  expect([answer.status, await answer.json()]).toEqual([200, { success: true }])
  const [job] = await ada.query(api.listByUser, {})
  expect(job).toMatchObject({
    userId: 'ada',
    sourceImageId,
    status: 'completed',
    outputVideoUrl: 'https://videos.example.com/1.mp4',
    completedAt: NOW,
  })
  expect(await t.withIdentity({ subject: 'bob' }).query(api.get, { jobId })).toBeNull()
})

test('a job that fails says why', async () => {
  const t = start()
  const ada = t.withIdentity({ subject: 'ada' })
  const sourceImageId = await t.run((ctx) => ctx.storage.store(new Blob(['picture'], { type: 'image/jpeg' })))
  const jobId = await ada.mutation(api.create, { sourceImageId, prompt: 'The cat blinks', durationSeconds: 3 })
  await pass(t)
  await deliver(t, { job_id: 'job_1', status: 'failed', error: 'Out of memory' })
  expect(await ada.query(api.get, { jobId })).toMatchObject({
    status: 'failed',
    prompt: 'The cat blinks',
    durationSeconds: 3,
    errorMessage: 'Out of memory',
  })
})

test('an old row of the same table name is none of the component’s', async () => {
  const t = start()
  const sourceImageId = await t.run((ctx) => ctx.storage.store(new Blob(['picture'])))
  const old = await t.run((ctx) => ctx.db.insert('videoJobs', { userId: 'ada', sourceImageId, status: 'completed' }))
  const ada = t.withIdentity({ subject: 'ada' })
  expect(await ada.query(api.get, { jobId: old })).toBeNull()
  expect(await ada.query(api.listByUser, {})).toEqual([])
})
