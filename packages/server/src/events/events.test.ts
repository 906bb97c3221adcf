import { setMaxListeners } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Bench, claim, createBench, request } from '../../test/services/bench.ts'
import type { Core, Snapshot } from '../core.ts'
import { embedded } from '../stores/embedded/index.ts'

const TENANT = 'default'
const SUBSCRIBERS = 3000

let bench: Bench
let core: Core
beforeAll(async () => {
  bench = await createBench()
  core = await bench.core(embedded({ dataDir: join(bench.folder, 'data'), template: process.env.KINORA_TEST_TEMPLATE }))
})
afterAll(async () => {
  await core?.close()
  await bench?.dispose()
})

it('tells thousands of subscribers of one job, and keeps nothing of those who vanish', async () => {
  const { job } = await core.jobs.accept(TENANT, request(bench.imageUrl))
  const vanish = new AbortController()
  setMaxListeners(0, vanish.signal)
  const last: (Snapshot | undefined)[] = []
  const readers = Array.from({ length: SUBSCRIBERS }, async (_, index) => {
    // Every other one goes away without a word.
    const signal = index % 2 === 0 ? vanish.signal : undefined
    for await (const snapshot of core.events.job(TENANT, job.job_id, { signal })) last[index] = snapshot
  })
  await expect.poll(() => last.filter(Boolean).length, { timeout: 20_000 }).toBe(SUBSCRIBERS)
  expect(core.events).toHaveProperty('subscribers', SUBSCRIBERS)
  vanish.abort()
  await expect.poll(() => Reflect.get(core.events, 'subscribers')).toBe(SUBSCRIBERS / 2)

  const lease = await claim(core)
  await bench.render(lease)
  await core.leases.complete(lease.lease_id, {})
  await Promise.all(readers)
  expect(last.filter((one) => one?.job.status === 'completed')).toHaveLength(SUBSCRIBERS / 2)
  expect(core.events).toHaveProperty('subscribers', 0)
}, 60_000)

it('tells of each state in turn, and ends after the last', async () => {
  const { job } = await core.jobs.accept(TENANT, request(bench.imageUrl))
  const statuses = new Set<string>()
  for await (const snapshot of core.events.job(TENANT, job.job_id)) {
    const isNew = !statuses.has(snapshot.job.status)
    statuses.add(snapshot.job.status)
    if (!isNew) continue
    const lease = snapshot.job.status === 'queued' ? await claim(core) : undefined
    if (lease) void endSoon(lease.lease_id)
  }
  expect([...statuses]).toEqual(['queued', 'processing', 'failed'])

  async function endSoon(leaseId: string): Promise<void> {
    await expect.poll(() => statuses.has('processing'), { timeout: 5000 }).toBe(true)
    await core.leases.fail(leaseId, { error: 'over', retryable: false })
  }
})

it('gives a slow reader the newest snapshot, not all that were', async () => {
  const { job } = await core.jobs.accept(TENANT, request(bench.imageUrl))
  const stream = core.events.job(TENANT, job.job_id)[Symbol.asyncIterator]()
  await stream.next()
  const lease = await claim(core)
  for (const progress of [20, 40, 60]) {
    await core.leases.heartbeat(lease.lease_id, { progress, stage: 'generating' })
  }
  await core.leases.fail(lease.lease_id, { error: 'over', retryable: false })
  const rest: Snapshot[] = []
  await expect.poll(async () => (await core.jobs.get(TENANT, job.job_id)).status).toBe('failed')
  for (let next = await stream.next(); !next.done; next = await stream.next()) rest.push(next.value)
  expect(rest.at(-1)?.job.status).toBe('failed')
})
