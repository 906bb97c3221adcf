/** Kinora as a guest in somebody's Hono app: every URL it hands out works, and nothing of the host's changes. */
import { mkdtemp, rm } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import { createKinora, type Kinora } from '@kinora/server'
import { embedded } from '@kinora/server/embedded'
import { Job, paths } from '@kinora/protocol'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { compress } from 'hono/compress'
import { cors } from 'hono/cors'
import { etag } from 'hono/etag'
import { Hono as OldestHono } from 'hono-oldest'
import { compress as oldestCompress } from 'hono-oldest/compress'
import { etag as oldestEtag } from 'hono-oldest/etag'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { API_KEY, createClient, pictureForm, WEBHOOK_SECRET, WORKER_TOKEN } from './server.ts'

let kinora: Kinora
let dataDir: string
let publicUrl = ''
const servers: ReturnType<typeof createAdaptorServer>[] = []

async function listen(fetch: (request: Request) => Response | Promise<Response>): Promise<string> {
  const server = createAdaptorServer({ fetch })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), 'kinora-mount-'))
  kinora = await createKinora({
    store: embedded({ dataDir, template: process.env.KINORA_TEST_TEMPLATE }),
    dataDir,
    publicUrl: () => publicUrl,
    authenticate: (request, context) => {
      const user: unknown = context.get('user')
      if (typeof user === 'string') return { tenant: user }
      return request.headers.get('authorization') === `Bearer ${API_KEY}` ? { tenant: 'anna@example.com' } : null
    },
    webhookSecret: WEBHOOK_SECRET,
    workerToken: WORKER_TOKEN,
    models: ['camera'],
    logger: pino({ level: 'silent' }),
  })
})
afterAll(async () => {
  await kinora?.close()
  for (const server of servers) server.close()
  await rm(dataDir, { recursive: true, force: true })
})

/** A host with a life of its own. */
function furnish(host: Hono<{ Variables: { user: string } }>): void {
  host.use('/own/*', cors({ origin: 'https://own.example.com' }))
  host.use('/small/*', bodyLimit({ maxSize: 10, onError: (context) => context.text('host: too large', 413) }))
  host.get('/api/v1/jobs', (context) => context.text('the host’s jobs'))
  host.post('/api/echo', async (context) => context.json(await context.req.json()))
  host.get('/own/data', (context) => context.text('own'))
  host.post('/small/data', async (context) => context.text(await context.req.text()))
  host.get('/broken', () => {
    throw new Error('the host’s trouble')
  })
}

async function checkHost(url: string): Promise<void> {
  const jobs = await fetch(`${url}/api/v1/jobs`)
  expect([jobs.status, await jobs.text()]).toEqual([200, 'the host’s jobs'])
  expect(jobs.headers.get('x-request-id')).toBeNull()
  expect(jobs.headers.get('x-content-type-options')).toBeNull()
  expect(jobs.headers.get('access-control-allow-origin')).toBeNull()
  const echo = await fetch(`${url}/api/echo`, { method: 'POST', body: '{"a":1}' })
  expect(await echo.json()).toEqual({ a: 1 })
  const large = JSON.stringify({ text: 'x'.repeat(400_000) })
  expect((await fetch(`${url}/api/echo`, { method: 'POST', body: large })).status).toBe(200)
  const own = await fetch(`${url}/own/data`, { headers: { origin: 'https://own.example.com' } })
  expect(own.headers.get('access-control-allow-origin')).toBe('https://own.example.com')
  const small = await fetch(`${url}/small/data`, { method: 'POST', body: 'far too large for it' })
  expect([small.status, await small.text()]).toEqual([413, 'host: too large'])
  const broken = await fetch(`${url}/broken`)
  expect([broken.status, await broken.text()]).toEqual([500, 'host: the host’s trouble'])
  const missing = await fetch(`${url}/nothing`)
  expect([missing.status, await missing.text()]).toEqual([404, 'host: not found'])
}

/** The way of one job, by the URLs that are handed out. */
async function checkWay(base: string): Promise<void> {
  const client = createClient(base)
  const answer = await client.call(paths.generate(), { method: 'POST', body: await pictureForm({ duration: '1' }) })
  expect(answer.status).toBe(201)
  const made = Job.parse(await answer.json())
  expect(answer.headers.get('location')).toBe(`${base}${paths.job(made.job_id)}`)
  expect(answer.headers.get('access-control-allow-origin')).toBeNull()

  // Both ask for compression, as browsers do, and must get the first event before the job ends.
  const stream = await client.call(paths.jobEvents(made.job_id), { headers: { 'accept-encoding': 'gzip' } })
  expect(stream.headers.get('content-encoding')).toBeNull()
  const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  while (!text.includes('"status":"queued"')) text += (await reader.read()).value ?? ''
  await client.finishNext()
  for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value
  expect(text).toContain('"status":"completed"')

  const done = Job.parse(await (await client.call(paths.job(made.job_id))).json())
  expect(done.result_url).toMatch(new RegExp(`^${base}/storage/outputs/`))
  const part = await fetch(done.result_url!, { headers: { range: 'bytes=4-7' } })
  expect([part.status, await part.text()]).toEqual([206, 'ftyp'])
  const head = await fetch(done.result_url!, { method: 'HEAD' })
  expect([head.status, head.headers.get('content-type')]).toEqual([200, 'video/mp4'])
  const video = await client.call(paths.video(made.job_id))
  expect(video.headers.get('location')).toMatch(new RegExp(`^${base}/storage/outputs/`))
  const refused = await fetch(base + paths.jobs())
  expect([refused.status, ((await refused.json()) as { error: string }).error]).toEqual([
    401,
    'Missing authorization header',
  ])
  const openapi = (await (await fetch(base + paths.openapi())).json()) as { servers: unknown; paths: object }
  expect(openapi.servers).toEqual([{ url: base }])
  expect(Object.keys(openapi.paths)).toContain('/api/v1/generate')
}

describe('under a prefix of a host', () => {
  it('works, and the host is as it was', async () => {
    const host = new Hono<{ Variables: { user: string } }>()
    host.use('*', etag(), compress())
    furnish(host)
    host.route('/video', kinora.app)
    host.notFound((context) => context.text('host: not found', 404))
    host.onError((error, context) => context.text(`host: ${error.message}`, 500))
    const url = await listen(host.fetch)
    publicUrl = `${url}/video`
    await checkHost(url)
    await checkWay(publicUrl)
    expect(await (await fetch(`${publicUrl}/nothing`)).text()).toBe('host: not found')
  })

  it('never takes its links from a request', async () => {
    const answer = await kinora.app.request('http://evil.test/api/v1/generate', {
      method: 'POST',
      headers: { authorization: `Bearer ${API_KEY}`, 'x-forwarded-host': 'evil.test' },
      body: await pictureForm(),
    })
    expect(answer.headers.get('location')).toMatch(publicUrl)
    const { job_id } = Job.parse(await answer.json())
    await kinora.core.jobs.remove('anna@example.com', job_id)
  })

  it('lets the host say who is asking', async () => {
    const host = new Hono<{ Variables: { user: string } }>()
    host.use('*', async (context, next) => {
      context.set('user', context.req.header('x-user') ?? 'nobody')
      await next()
    })
    host.route('/video', kinora.app)
    const list = async (user: string) => {
      const answer = await host.request(`/video${paths.jobs()}`, { headers: { 'x-user': user } })
      return ((await answer.json()) as { jobs: unknown[] }).jobs.length
    }
    expect(await list('anna@example.com')).toBeGreaterThan(0)
    expect(await list('bert')).toBe(0)
  })

  it('works in the oldest Hono that is supported', async () => {
    const host = new OldestHono()
    host.use('*', oldestEtag(), oldestCompress())
    host.get('/api/v1/jobs', (context) => context.text('the host’s jobs'))
    // Two versions of Hono's class differ in private fields only; within one project there is one version, see the type test.
    host.route('/video', kinora.app as unknown as OldestHono)
    host.notFound((context) => context.text('host: not found', 404))
    const url = await listen(host.fetch)
    publicUrl = `${url}/video`
    expect(await (await fetch(`${url}/api/v1/jobs`)).text()).toBe('the host’s jobs')
    expect(await (await fetch(`${url}/other`)).text()).toBe('host: not found')
    await checkWay(publicUrl)
  })
})
