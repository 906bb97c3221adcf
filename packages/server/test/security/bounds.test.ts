/** Every bound on time, bytes and lifetimes that the server sets for others, seen where it takes effect: at the one guarded fetch, and at the storage. */
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { MAX_IMAGE_BYTES, paths } from '@kinora/protocol'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Core } from '../../src/core.ts'
import type { GuardedFetch, GuardedRequest } from '../../src/net/index.ts'
import type { Storage } from '../../src/storage/index.ts'
import { embedded } from '../../src/stores/embedded/index.ts'
import { openServer, type TestServer } from '../edge/server.ts'
import { type Bench, claim, createBench, reaches, request } from '../services/bench.ts'

const TENANT = 'default'
const MINUTE = 60_000
const DAY_SECONDS = 24 * 3600

let bench: Bench
let core: Core
const fetched: { readonly url: string; readonly request: GuardedRequest }[] = []
const places: { readonly key: string; readonly options: Parameters<Storage['presignPut']>[1] }[] = []
const links: { readonly key: string; readonly expiresIn: number }[] = []

/** The real ones, and what they were asked for. */
function watched(storage: Storage): Storage {
  return {
    ...storage,
    presignPut(key, options) {
      places.push({ key, options })
      return storage.presignPut(key, options)
    },
    presignGet(key, options) {
      links.push({ key, expiresIn: options.expiresIn })
      return storage.presignGet(key, options)
    },
  }
}

beforeAll(async () => {
  bench = await createBench()
  const guarded = (url: string, init: GuardedRequest = {}): ReturnType<GuardedFetch> => {
    fetched.push({ url, request: init })
    return bench.fetch(url, init)
  }
  core = await bench.core(embedded({ dataDir: join(bench.folder, 'data') }), {
    fetch: Object.assign(guarded, { close: () => bench.fetch.close() }),
    storage: watched(bench.storage),
  })
})
afterAll(async () => {
  await core?.close()
  await bench?.dispose()
})

const bounds = (path: string) => {
  const found = fetched.filter(({ url }) => url === bench.url(path))
  expect(found.length).toBeGreaterThan(0)
  return found.map(({ request: { timeout, maxBytes, maxRedirects, ignoreBody } }) => ({
    timeout,
    maxBytes,
    maxRedirects,
    ignoreBody,
  }))[0]
}

it('a stranger’s server has a minute and 20 MB for a picture, 20 s and no word for a webhook, two minutes and 64 kB for a copy', async () => {
  const { job } = await core.jobs.accept(TENANT, request(bench.imageUrl, { webhook_url: bench.url('/hook') }))
  const lease = await claim(core)
  await bench.render(lease)
  await core.leases.complete(lease.lease_id, {})
  await reaches(core, TENANT, job.job_id, 'completed')
  await expect.poll(() => bench.received.some(({ path }) => path === '/hook'), { timeout: 10_000 }).toBe(true)
  await core.jobs.copyVideo(TENANT, job.job_id, { upload_url: bench.url('/copy'), method: 'POST' })

  expect(bounds('/picture.jpg')).toMatchObject({ timeout: MINUTE, maxBytes: MAX_IMAGE_BYTES })
  expect(bounds('/hook')).toMatchObject({ timeout: 20_000, ignoreBody: true, maxRedirects: 0 })
  expect(bounds('/copy')).toMatchObject({ timeout: 2 * MINUTE, maxBytes: 64 * 1024 })
})

it('a worker’s places take one video of 1 GB and one poster of 10 MB, each of its type, for a day', async () => {
  const { job } = await core.jobs.accept(TENANT, request(bench.imageUrl))
  places.length = links.length = 0
  await claim(core)
  const [video, poster] = ['output.mp4', 'poster.jpg'].map((name) => places.find(({ key }) => key.endsWith(name)))
  expect(video?.options).toEqual({ contentType: 'video/mp4', maxBytes: 1024 ** 3, expiresIn: DAY_SECONDS })
  expect(poster?.options).toEqual({ contentType: 'image/jpeg', maxBytes: 10 * 1024 ** 2, expiresIn: DAY_SECONDS })
  expect(links.map(({ expiresIn }) => expiresIn)).toEqual([DAY_SECONDS])
  await core.jobs.remove(TENANT, job.job_id)
})

describe('over HTTP', () => {
  let server: TestServer
  beforeAll(async () => {
    server = await openServer({ storage: watched(bench.storage), allowNetworks: ['loopback'] })
  })
  afterAll(() => server?.close())

  it('an upload’s place takes a picture of 20 MB for an hour', async () => {
    places.length = 0
    await server.post(paths.uploads(), { content_type: 'image/png', content_length: 5 })
    await server.post(paths.presignUpload(), { job_id: 'photo' })
    expect(places.map(({ options }) => options)).toEqual([
      { contentType: 'image/png', contentLength: 5, maxBytes: MAX_IMAGE_BYTES, expiresIn: 3600 },
      { contentType: 'image/jpeg', maxBytes: MAX_IMAGE_BYTES, expiresIn: 3600 },
    ])
    const larger = { content_type: 'image/png', content_length: MAX_IMAGE_BYTES + 1 }
    expect((await server.post(paths.uploads(), larger)).status).toBe(400)
  })

  it.each([
    ['announced', (body: string) => ({ body })],
    ['not announced', (body: string) => ({ body: new Blob([body]).stream(), duplex: 'half' as const })],
  ])('a JSON body of more than 256 kB is refused, its length %s', async (_, init) => {
    const send = (length: number): Promise<Response> =>
      server.call(paths.uploads(), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        ...init(`{"content_type":"image/png"}`.padEnd(length)),
      })
    expect((await send(256 * 1024)).status).toBe(201)
    const refused = await send(256 * 1024 + 1)
    expect([refused.status, await refused.json()]).toMatchObject([413, { code: 'payload_too_large' }])
  })

  it('headers of more than 32 kB are refused', async () => {
    const status = await new Promise((resolve, reject) => {
      httpRequest(`${server.url}/health`, { headers: { padding: 'x'.repeat(33 * 1024) } }, (answer) => {
        answer.resume()
        resolve(answer.statusCode)
      })
        .on('error', reject)
        .end()
    })
    expect(status).toBe(431)
  })
})
