/** No secret stands in a log, an error or a job, whoever's it is: tried with everything that goes wrong. */
import { type Job, type Lease, paths } from '@kinora/protocol'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createApiKeyAuthentication } from '../../src/auth/authenticate.ts'
import { API_KEY, openServer, type TestServer, VIDEO, WEBHOOK_SECRET, WORKER_TOKEN } from '../edge/server.ts'

let server: TestServer
beforeAll(async () => {
  const byKey = createApiKeyAuthentication([{ tenant: 'default', key: API_KEY }])
  server = await openServer({
    allowNetworks: ['loopback'],
    authenticate(request, context) {
      if (request.headers.get('authorization') === 'Bearer breaks-everything') {
        throw new Error('connect postgres://kinora:hunter2@db.internal')
      }
      return byKey(request, context)
    },
  })
})
afterAll(() => server?.close())

/** Everything that tenants and operators can read of what happened. */
const read: string[] = []
const note = async (answer: Response): Promise<string> => {
  const text = await answer.text()
  read.push(text)
  return text
}

it('the secrets of users’ URLs do not, when their servers fail', async () => {
  const secrets = ['secret-of-the-picture', 'secret-of-the-hook']
  const made = await server.post(paths.generate(), {
    image_url: `http://127.0.0.1:${new URL(server.url).port}/nothing/here.jpg?token=${secrets[0]}`,
    webhook_url: `http://127.0.0.1:9/hook?token=${secrets[1]}`,
  })
  const { job_id } = JSON.parse(await note(made)) as Job
  await expect
    .poll(
      async () => {
        const job = JSON.parse(await note(await server.call(paths.job(job_id)))) as Job
        return [job.status, job.webhook?.last_error !== undefined]
      },
      { timeout: 15_000 },
    )
    .toEqual(['failed', true])
  await note(await server.call(paths.jobs()))
  const all = [...read, ...server.logs].join('\n')
  expect(all).toContain(job_id)
  expect(secrets.filter((secret) => all.includes(secret))).toEqual([])
})

it('keys and tokens do not, right or wrong', async () => {
  const wrong = ['a-wrong-key-of-a-tenant', 'a-wrong-token-of-a-worker', 'a-wrong-secret-of-a-hook']
  const answers = [
    await server.call(paths.jobs(), { headers: { authorization: `Bearer ${wrong[0]}` } }),
    await server.post(paths.leases(), {}, { authorization: `Bearer ${wrong[1]}` }),
    await server.post(paths.webhookComplete(), {}, { 'x-webhook-secret': wrong[2] ?? '' }),
    await server.call(paths.jobs()),
    await server.call('/api/v1/nothing'),
  ]
  for (const answer of answers) await note(answer)
  const all = [...read, ...server.logs].join('\n')
  const secrets = [...wrong, API_KEY, WORKER_TOKEN, WEBHOOK_SECRET]
  expect(secrets.filter((secret) => all.includes(secret))).toEqual([])
})

it('a lease’s id and signatures of URLs do not, though the holder does everything wrong', async () => {
  const { job_id } = await server.generate()
  const lease = (await (
    await server.asWorker(paths.leases(), { model: 'camera', worker: 'test', wait: 20 })
  ).json()) as Lease
  const { url, headers } = lease.uploads.video
  await note(await fetch(url, { method: 'PUT', headers: { 'content-type': 'text/plain' }, body: VIDEO }))
  await note(await fetch(`${lease.image_url}x`))
  await note(await server.asWorker(paths.heartbeat(lease.lease_id), { progress: 'much' }))
  await note(await server.asWorker(paths.complete(lease.lease_id)))
  await note(await server.asWorker(paths.complete(lease.lease_id)))
  await note(await fetch(url, { method: 'PUT', headers, body: VIDEO }))
  const open = server.call(paths.job(job_id))
  await note(await open)
  const all = [...read, ...server.logs].join('\n')
  const signatures = [url, lease.image_url].map((one) => new URL(one).searchParams.get('signature') ?? 'none')
  expect(signatures.every((one) => one.length > 20)).toBe(true)
  expect([lease.lease_id, ...signatures].filter((secret) => all.includes(secret))).toEqual([])
})

it('what goes wrong inside is nobody’s business outside', async () => {
  const answer = await server.call(paths.jobs(), { headers: { authorization: 'Bearer breaks-everything' } })
  expect([answer.status, await answer.json()]).toEqual([
    500,
    { error: 'Internal server error', code: 'internal_error', request_id: answer.headers.get('x-request-id') },
  ])
  // The operator finds it in the log.
  expect(server.logs.join('\n')).toContain('db.internal')
})
