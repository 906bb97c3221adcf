/** Limits as clients see them: a status, a code, and when to come back. What each limit does is tested on every store: test/stores/limits.ts. */
import { ErrorBody, paths } from '@kinora/protocol'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openServer, pictureForm, type TestServer } from './server.ts'

const KEYS = { few: 'key-of-few-jobs', asking: 'key-of-few-requests', sending: 'key-of-few-bytes' }
const LIMITS = new Map([
  ['few', { queued: 1 }],
  ['asking', { requestsPerMinute: 2 }],
  ['sending', { bytesPerDay: 1 }],
])

let server: TestServer
beforeAll(async () => {
  server = await openServer({
    apiKeys: Object.entries(KEYS).map(([tenant, key]) => ({ tenant, key })),
    limits: { of: (tenant) => LIMITS.get(tenant) },
  })
})
afterAll(() => server?.close())

const as = (tenant: keyof typeof KEYS) => ({ authorization: `Bearer ${KEYS[tenant]}` })
const generate = async (tenant: keyof typeof KEYS) =>
  server.call(paths.generate(), { method: 'POST', headers: as(tenant), body: await pictureForm() })

async function refusal(answer: Response) {
  return [answer.status, ErrorBody.parse(await answer.json()).code, Number(answer.headers.get('retry-after')) > 0]
}

it('answers 429 with a code and Retry-After, whichever limit it is', async () => {
  expect((await generate('few')).status).toBe(201)
  expect(await refusal(await generate('few'))).toEqual([429, 'too_many_jobs', true])

  const list = () => server.call(paths.jobs(), { headers: as('asking') })
  expect([(await list()).status, (await list()).status]).toEqual([200, 200])
  expect(await refusal(await list())).toEqual([429, 'too_many_requests', true])
  // Nobody else is kept away, nor are workers.
  expect((await server.call(paths.jobs(), { headers: as('few') })).status).toBe(200)

  expect((await generate('sending')).status).toBe(201)
  expect(await refusal(await generate('sending'))).toEqual([429, 'too_many_bytes', true])
})
