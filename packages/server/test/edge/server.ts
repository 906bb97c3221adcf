/** A real server for tests: embedded store, files in a folder that is removed, a free port, and a worker played over HTTP. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { serveKinora, type ServedKinora, type ServeOptions } from '@kinora/server'
import { embedded } from '@kinora/server/embedded'
import { type Job, type Lease, paths } from '@kinora/protocol'
import { pino } from 'pino'
import sharp from 'sharp'

export const API_KEY = 'key-of-the-app'
export const WORKER_TOKEN = 'token-of-the-workers'
export const WEBHOOK_SECRET = 'secret-of-the-hooks'
/** Passes for a video wherever nobody decodes it. */
export const VIDEO = new TextEncoder().encode('\0\0\0\x18ftypmp42 not really')

export interface TestServer extends ServedKinora {
  /** Log lines, as they are written. */
  readonly logs: string[]
  /** A request with the API key, unless the headers say otherwise. */
  call(path: string, init?: RequestInit): Promise<Response>
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>
  asWorker(path: string, body?: unknown): Promise<Response>
  /** A job from a small picture. */
  generate(): Promise<Job>
  /** Claims the next job and finishes it. */
  finishNext(): Promise<Lease>
}

export async function openServer(options: Partial<ServeOptions> = {}): Promise<TestServer> {
  const dataDir = await mkdtemp(path.join(tmpdir(), 'kinora-edge-'))
  const logs: string[] = []
  const served = await serveKinora({
    store: embedded({ dataDir, template: process.env.KINORA_TEST_TEMPLATE }),
    dataDir,
    port: 0,
    host: '127.0.0.1',
    ...(options.apiKeys || options.authenticate ? {} : { apiKey: API_KEY }),
    workerToken: WORKER_TOKEN,
    webhookSecret: WEBHOOK_SECRET,
    models: ['camera', 'ltx-video'],
    logger: pino({ level: 'debug' }, { write: (line: string) => void logs.push(line) }),
    ...options,
  })
  const client = createClient(served.url)
  const close: TestServer['close'] = async (how) => {
    await served.close(how)
    await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
  }
  let closing: Promise<void> | undefined
  return {
    ...served,
    ...client,
    logs,
    close: (how) => (closing ??= close(how)),
  }
}

export function createClient(base: string): Omit<TestServer, keyof ServedKinora | 'logs'> {
  const call = (route: string, init: RequestInit = {}): Promise<Response> =>
    fetch(base + route, {
      redirect: 'manual',
      ...init,
      headers: { authorization: `Bearer ${API_KEY}`, ...Object.fromEntries(new Headers(init.headers)) },
    })
  const post = (route: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
    call(route, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { 'content-type': 'application/json', ...headers },
    })
  const asWorker = (route: string, body: unknown = {}): Promise<Response> =>
    post(route, body, { authorization: `Bearer ${WORKER_TOKEN}` })

  return {
    call,
    post,
    asWorker,
    async generate() {
      const answer = await call(paths.generate(), { method: 'POST', body: await pictureForm({ duration: '2' }) })
      if (answer.status !== 201) throw new Error(await answer.text())
      return (await answer.json()) as Job
    },
    async finishNext() {
      const claimed = await asWorker(paths.leases(), { model: 'camera', worker: 'test', wait: 20 })
      if (claimed.status !== 200) throw new Error(`claim: ${claimed.status} ${await claimed.text()}`)
      const lease = (await claimed.json()) as Lease
      const { url, headers } = lease.uploads.video
      const put = await fetch(url, { method: 'PUT', headers, body: VIDEO })
      if (!put.ok) throw new Error(`put: ${put.status} ${await put.text()}`)
      const done = await asWorker(paths.complete(lease.lease_id))
      if (!done.ok) throw new Error(`complete: ${done.status} ${await done.text()}`)
      return lease
    },
  }
}

export async function picture(): Promise<Buffer> {
  return sharp({ create: { width: 64, height: 36, channels: 3, background: '#c84' } })
    .jpeg()
    .toBuffer()
}

export async function pictureForm(fields: Record<string, string> = {}): Promise<FormData> {
  const form = new FormData()
  form.set('image', new File([await picture()], 'photo.jpg', { type: 'image/jpeg' }))
  for (const [name, value] of Object.entries(fields)) form.set(name, value)
  return form
}
