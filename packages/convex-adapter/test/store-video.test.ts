// @vitest-environment edge-runtime
/** Large videos into the app's storage: sent by the server, or piped through, and not held. */
import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { pass } from './component.ts'
import { startLocalDeployment } from './local-deployment.ts'
import { startRouterApp, videos } from './router-app.ts'
import { startScriptedServer, wireJob } from './scripted-server.ts'

const MIB = 1024 * 1024
let deployment: Awaited<ReturnType<typeof startLocalDeployment>>
let source: Awaited<ReturnType<typeof startSource>>
let server: Awaited<ReturnType<typeof startScriptedServer>>
let app: ReturnType<typeof startRouterApp>

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  vi.spyOn(console, 'warn').mockImplementation(() => {})
  source = await startSource()
  server = await startScriptedServer(({ method }) =>
    method === 'POST'
      ? { status: 201, body: wireJob() }
      : { body: wireJob({ status: 'completed', result_url: `${source.url}/video.mp4` }) },
  )
  app = startRouterApp({ VIDEO_API_URL: server.url, VIDEO_API_KEY: 'key', WEBHOOK_SECRET: '' }, { storeVideo: true })
  deployment = await startLocalDeployment()
  deployment.serve(app)
})
afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  vi.restoreAllMocks()
  await Promise.all([deployment.close(), source.close(), server.close()])
})

/** Makes a job whose video is at the source, and waits for what becomes of its copy. */
async function finished() {
  const userId = await app.run((ctx) => ctx.db.insert('users', { name: 'Ada' }))
  const jobId = await app.mutation(videos.make, { userId, image: 'https://p.example.com/1.jpg', album: 'cats' })
  await pass(app, 60_000)
  const job = await app.query(videos.look, { jobId })
  const stored = await app.run(async (ctx) => {
    const file = job?.videoStorageId === undefined ? null : await ctx.storage.get(job.videoStorageId)
    return file === null ? undefined : { size: file.size, type: file.type }
  })
  return { job, stored }
}

test.each([
  ['that tells its length', true],
  ['that does not', false],
])('a video of 64 MiB from a server %s', async (_, announced) => {
  source.serve((response) => {
    response.writeHead(200, { 'content-type': 'video/mp4', ...(announced ? { 'content-length': 64 * MIB } : {}) })
    send(response, 64)
  })
  const { job, stored } = await finished()
  expect(job).not.toHaveProperty('storeError')
  expect(stored).toEqual({ size: 64 * MIB, type: 'video/mp4' })
})

test('a video of 64 MiB is sent by a server that can do so, and passes through no function', async () => {
  let read = 0
  source.serve((response) => {
    read += 1
    response.writeHead(200, { 'content-type': 'video/mp4', 'content-length': 64 * MIB })
    if (read > 1) send(response, 64)
    // Whoever only looks at the length gets no byte.
    else response.flushHeaders()
  })
  const asked: unknown[] = []
  const kinora = await startCopyingServer(source.url, (body) => asked.push(body))
  app = startRouterApp({ VIDEO_API_URL: kinora.url, VIDEO_API_KEY: 'key', WEBHOOK_SECRET: '' }, { storeVideo: true })
  deployment.serve(app)
  const { job, stored } = await finished()
  await kinora.close()
  expect(job).not.toHaveProperty('storeError')
  expect(stored).toEqual({ size: 64 * MIB, type: 'video/mp4' })
  expect(asked).toEqual([{ upload_url: expect.stringContaining('http'), max_bytes: 104_857_600 }])
})

test('one that has more than is allowed, without saying so before, is not copied and not tried again', async () => {
  let tries = 0
  source.serve((response) => {
    tries += 1
    response.writeHead(200, { 'content-type': 'video/mp4' })
    send(response, 101)
  })
  const { job, stored } = await finished()
  expect([tries, stored]).toEqual([1, null])
  expect(job?.storeError).toMatch(/^The video has more than 104857600 bytes/)
  expect(job?.status).toBe('completed')
})

test('one that breaks off is no copy, and is tried again', async () => {
  let tries = 0
  source.serve((response) => {
    tries += 1
    response.writeHead(200, { 'content-type': 'video/mp4', 'content-length': 30 * MIB })
    if (tries > 1) send(response, 30)
    else response.write(new Uint8Array(25 * MIB), () => response.destroy())
  })
  const { stored } = await finished()
  expect(tries).toBe(2)
  expect(stored?.size).toBe(30 * MIB)
  const files = await app.run((ctx) => ctx.db.system.query('_storage').collect())
  expect(files.map(({ size }) => size)).toEqual([30 * MIB])
})

/** Writes so many MiB, as fast as they are taken. */
function send(response: ServerResponse, count: number): void {
  const chunk = new Uint8Array(MIB)
  let sent = 0
  const more = () => {
    while (sent < count) {
      sent += 1
      if (!response.write(chunk)) {
        response.once('drain', more)
        return
      }
    }
    response.end()
  }
  more()
}

/** A Kinora server that has one finished job, and sends its video where it is told, as the real one does. */
async function startCopyingServer(source: string, seen: (body: unknown) => void) {
  return listen((request, response) => {
    void (async () => {
      const chunks: Uint8Array[] = []
      for await (const chunk of request) chunks.push(chunk as Uint8Array)
      response.setHeader('content-type', 'application/json')
      if (request.url === '/api/v1/jobs/job_1/copy') {
        const body = JSON.parse(new TextDecoder().decode(chunks[0])) as { upload_url: string }
        seen(body)
        const video = await (await fetch(`${source}/video.mp4`)).arrayBuffer()
        const answer = await fetch(body.upload_url, {
          method: 'POST',
          headers: { 'content-type': 'video/mp4' },
          body: video,
        })
        response.end(JSON.stringify({ status: answer.status, body: await answer.text(), size: video.byteLength }))
      } else if (request.method === 'POST') response.writeHead(201).end(JSON.stringify(wireJob()))
      else response.end(JSON.stringify(wireJob({ status: 'completed', result_url: `${source}/video.mp4` })))
    })()
  })
}

async function startSource() {
  let serve: (response: ServerResponse) => void = (response) => response.end()
  const listening = await listen((_, response) => serve(response))
  return {
    ...listening,
    serve(next: typeof serve) {
      serve = next
    },
  }
}

async function listen(listener: RequestListener) {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
