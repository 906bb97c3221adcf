/** Everything that a core needs, real: a disk storage, a web server with pictures, a receiver of webhooks. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import sharp from 'sharp'
import type { Job, Lease } from '@kinora/protocol'
import { createCore } from '../../src/create-core.ts'
import type { AcceptRequest, Core, CoreOptions } from '../../src/core.ts'
import { inspectImage } from '../../src/images/index.ts'
import { leaseKeys } from '../../src/jobs/keys.ts'
import { createGuardedFetch, type GuardedFetch } from '../../src/net/index.ts'
import { createDiskStorage, type Storage } from '../../src/storage/index.ts'
import type { StoreDriver } from '../../src/stores/store.ts'

/** The smallest thing that begins like an mp4. */
export const MP4 = Buffer.from('00000018667479706d703432000000006d703432', 'hex')

/** What a receiver says at length, posted to at `/long…`: more than is taken in of any answer. */
const LONG_ANSWER = 'x'.repeat(1_500_000)

export interface Received {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

export interface Bench {
  readonly folder: string
  readonly storage: Storage
  readonly fetch: GuardedFetch
  readonly imageUrl: string
  /** Where `path` of the bench's web server is. */
  url(path: string): string
  /** What was posted to it. */
  readonly received: Received[]
  /** Status codes for the next posts to a path; 200 when there are none left. */
  answers(path: string, ...statuses: number[]): void
  core(store: StoreDriver, options?: Partial<CoreOptions>): Promise<Core>
  /** Answers whoever waits for `/held.jpg`, which is a picture. */
  letGo(): void
  /** Puts a video where the lease said. */
  render(lease: Lease): Promise<void>
  dispose(): Promise<void>
}

export async function createBench(): Promise<Bench> {
  const folder = await mkdtemp(join(tmpdir(), 'kinora-bench-'))
  const storage = createDiskStorage({ folder: join(folder, 'objects'), publicUrl: 'http://localhost:1' })
  const fetch = createGuardedFetch({ allowNetworks: ['loopback'] })
  const picture = await sharp({ create: { width: 64, height: 36, channels: 3, background: '#396' } })
    .jpeg()
    .toBuffer()
  const received: Received[] = []
  const planned = new Map<string, number[]>()
  const held = new Set<() => void>()

  const server: Server = createServer((request, response) => {
    const path = request.url ?? '/'
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      if (request.method === 'POST') {
        received.push({ path, headers: request.headers, body: Buffer.concat(chunks).toString() })
        response.writeHead(planned.get(path)?.shift() ?? 200).end(path.startsWith('/long') ? LONG_ANSWER : '')
      } else if (path === '/picture.jpg') {
        response.writeHead(200, { 'content-type': 'image/jpeg' }).end(picture)
      } else if (path === '/held.jpg') {
        held.add(() => void response.writeHead(200, { 'content-type': 'image/jpeg' }).end(picture))
      } else if (path === '/page.html') {
        response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><p>no picture')
      } else if (path === '/busy.jpg') {
        response.writeHead(503).end()
      } else {
        response.writeHead(404).end()
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const origin = `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`

  return {
    folder,
    storage,
    fetch,
    imageUrl: `${origin}/picture.jpg`,
    url: (path) => origin + path,
    received,
    answers: (path, ...statuses) => void planned.set(path, statuses),
    core: (store, options = {}) =>
      createCore({
        store,
        storage,
        fetch,
        inspectImage,
        models: ['camera', 'other'],
        webhooks: { secret: 'a webhook secret of the tests', singleTenant: 'default' },
        logger: pino({ level: process.env['LOG_LEVEL'] ?? 'silent' }),
        ...options,
      }),
    letGo() {
      for (const answer of held) answer()
      held.clear()
    },
    async render(lease) {
      await storage.put(leaseKeys(lease.lease_id).video, MP4, { contentType: 'video/mp4' })
    },
    async dispose() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await fetch.close()
      await storage.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A request as the routes hand it over. */
export function request(
  image: string | AcceptRequest['image'],
  fields: Partial<AcceptRequest['request']> = {},
): AcceptRequest {
  return {
    image: typeof image === 'string' ? { image_url: image } : image,
    request: { duration: 5, ...fields },
  }
}

/** Claims, and insists on getting one. */
export async function claim(core: Core, model = 'camera', wait = 10): Promise<Lease> {
  const lease = await core.leases.claim({ model, worker: 'test', wait })
  if (!lease) throw new Error(`no job of ${model} came within ${wait} s`)
  return lease
}

/** Waits until the job has one of these statuses. */
export async function reaches(core: Core, tenant: string, jobId: string, ...statuses: Job['status'][]): Promise<Job> {
  const deadline = Date.now() + 20_000
  for (;;) {
    const job = await core.jobs.get(tenant, jobId)
    if (statuses.includes(job.status)) return job
    if (Date.now() > deadline) throw new Error(`${jobId} is ${job.status}, not ${statuses.join(' or ')}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
