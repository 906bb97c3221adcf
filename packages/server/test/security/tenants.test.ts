/** What one tenant has does not exist for another: tried on every route of the table that names a job, and on everything else that is a tenant's own. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Job, type JobList, type Lease, paths, type Upload } from '@kinora/protocol'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROUTES } from '../../src/routes/table.ts'
import { openServer, picture, pictureForm, type TestServer, VIDEO } from '../edge/server.ts'

const ANNA = { authorization: 'Bearer key-of-anna' }
const BERT = { authorization: 'Bearer key-of-bert' }

let server: TestServer
/** Anna's: one that waits, one that is worked on, one that has its video. */
let jobs: readonly Job[]
const sentElsewhere: string[] = []
const elsewhere = createServer((request, response) => {
  sentElsewhere.push(request.url ?? '')
  response.end('{}')
})
let upload_url = ''

beforeAll(async () => {
  elsewhere.listen(0, '127.0.0.1')
  await once(elsewhere, 'listening')
  upload_url = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/upload`
  server = await openServer({
    apiKeys: [
      { tenant: 'anna', key: 'key-of-anna' },
      { tenant: 'bert', key: 'key-of-bert' },
    ],
    allowNetworks: ['loopback'],
  })
  const completed = await generate(ANNA)
  await finishNext()
  const processing = await generate(ANNA)
  await claim()
  jobs = [await generate(ANNA), processing, completed]
})
afterAll(async () => {
  await server?.close()
  elsewhere.closeAllConnections()
  elsewhere.close()
})

async function generate(headers: Record<string, string>, key?: string): Promise<Job> {
  const body = await pictureForm({ prompt: 'mine' })
  const asked = { ...headers, ...(key === undefined ? {} : { 'idempotency-key': key }) }
  const answer = await server.call(paths.generate(), { method: 'POST', headers: asked, body })
  expect(answer.status).toBe(201)
  return (await answer.json()) as Job
}

async function claim(): Promise<Lease> {
  const answer = await server.asWorker(paths.leases(), { model: 'camera', worker: 'test', wait: 20 })
  expect(answer.status).toBe(200)
  return (await answer.json()) as Lease
}

async function finishNext(): Promise<void> {
  const lease = await claim()
  const { url, headers } = lease.uploads.video
  await fetch(url, { method: 'PUT', headers, body: VIDEO })
  expect((await server.asWorker(paths.complete(lease.lease_id))).status).toBe(200)
}

/** How Anna's jobs stand, without what is made anew for each answer. */
async function standing(): Promise<object[]> {
  return Promise.all(
    jobs.map(async ({ job_id }) => {
      const job = (await (await server.call(paths.job(job_id), { headers: ANNA })).json()) as Job
      return {
        ...job,
        result_url: job.result_url !== undefined,
        picture_url: job.picture_url !== undefined,
        notice: undefined,
      }
    }),
  )
}

const ofOneJob = ROUTES.filter(({ auth, path }) => auth === 'apiKey' && path.includes(':'))

it('every route of the table with an id in its path is about a job', () => {
  expect(ofOneJob.map(({ path }) => path).filter((path) => !path.includes(':jobId'))).toEqual([])
  expect(ofOneJob.length).toBeGreaterThan(6)
})

describe.each(ofOneJob.map((route) => ({ route, name: `${route.method.toUpperCase()} ${route.path}` })))(
  '$name',
  ({ route }) => {
    const ask = async (jobId: string): Promise<unknown[]> => {
      const answer = await server.call(route.path.replace(':jobId', jobId), {
        method: route.method.toUpperCase(),
        headers: { ...BERT, 'content-type': 'application/json' },
        ...(route.body ? { body: JSON.stringify({ upload_url }) } : {}),
      })
      const { request_id: _, ...body } = (await answer.json()) as Record<string, unknown>
      return [answer.status, body]
    }

    it('answers another tenant as if there were no such job, and changes nothing', async () => {
      const before = await standing()
      const unknown = await ask('job_that-never-was')
      expect(unknown).toEqual([404, { error: 'Job not found', code: 'job_not_found' }])
      for (const { job_id } of jobs) expect(await ask(job_id)).toEqual(unknown)
      expect(await standing()).toEqual(before)
      expect(sentElsewhere).toEqual([])
    })
  },
)

it('a list has the tenant’s own jobs only, also from another’s cursor', async () => {
  const own = await generate(BERT)
  const list = async (headers: Record<string, string>, query = ''): Promise<JobList> =>
    (await (await server.call(`${paths.jobs()}?limit=1${query}`, { headers })).json()) as JobList
  expect((await list(BERT)).jobs.map(({ job_id }) => job_id)).toEqual([own.job_id])
  const { next_cursor } = await list(ANNA)
  expect(next_cursor).not.toBeNull()
  expect(await list(BERT, `&cursor=${next_cursor}`)).toEqual({ jobs: [], next_cursor: null })
  await server.call(paths.job(own.job_id), { method: 'DELETE', headers: BERT })
})

it('a stream of all jobs tells of the tenant’s own only', async () => {
  const controller = new AbortController()
  const answer = await server.call(paths.events(), { headers: BERT, signal: controller.signal })
  const events = answer.body!.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())
  const annas = await generate(ANNA)
  await server.call(paths.cancel(annas.job_id), { method: 'POST', headers: ANNA })
  const berts = await generate(BERT)
  await server.call(paths.cancel(berts.job_id), { method: 'POST', headers: BERT })
  const told = new Set<string>()
  for await (const { data } of events) {
    const job = JSON.parse(data) as Job
    told.add(job.job_id)
    if (job.status === 'canceled') break
  }
  controller.abort()
  expect([...told]).toEqual([berts.job_id])
  for (const [headers, { job_id }] of [[ANNA, annas] as const, [BERT, berts] as const]) {
    await server.call(paths.job(job_id), { method: 'DELETE', headers })
  }
})

it('an upload is its tenant’s: another cannot name it, and a place of the same name is another place', async () => {
  const presign = async (headers: Record<string, string>): Promise<Upload> =>
    (await (await server.post(paths.presignUpload(), { job_id: 'photo' }, headers)).json()) as Upload
  const put = await fetch((await presign(ANNA)).upload_url, {
    method: 'PUT',
    headers: { 'content-type': 'image/jpeg' },
    body: new Uint8Array(await picture()),
  })
  expect(put.status).toBe(200)
  const named = await server.post(paths.generate(), { upload_id: 'photo' }, BERT)
  expect([named.status, await named.json()]).toMatchObject([400, { code: 'upload_not_found' }])
  const place = ({ upload_url: url }: Upload): string => new URL(url).pathname
  expect(place(await presign(BERT))).not.toBe(place(await presign(ANNA)))
})

it('one Idempotency-Key of two tenants names two jobs', async () => {
  const key = randomUUID()
  const [annas, berts] = [await generate(ANNA, key), await generate(BERT, key)]
  expect(berts.job_id).not.toBe(annas.job_id)
})

it('each tenant has a webhook secret of its own', async () => {
  const secret = async (headers: Record<string, string>): Promise<string> =>
    ((await (await server.call(paths.webhookSecret(), { headers })).json()) as { secret: string }).secret
  expect(await secret(ANNA)).toMatch(/^whsec_/)
  expect(await secret(BERT)).not.toBe(await secret(ANNA))
})

it('nobody reports a result from outside where there are several tenants', async () => {
  const body = { job_id: jobs[0]?.job_id, status: 'completed', video_url: 'https://evil.example.com/v.mp4' }
  for (const secret of ['secret-of-the-hooks', 'key-of-bert', '']) {
    const answer = await server.post(paths.webhookComplete(), body, { ...BERT, 'x-webhook-secret': secret })
    expect([answer.status, await answer.json()]).toMatchObject([401, { code: 'unauthorized' }])
  }
})
