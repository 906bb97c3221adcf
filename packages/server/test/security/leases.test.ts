/** A lease is one worker's, for one attempt: what its holder can rely on, and what nobody else can do. */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Core } from '../../src/core.ts'
import { leaseKeys, outputKeys } from '../../src/jobs/keys.ts'
import type { Storage } from '../../src/storage/index.ts'
import { embedded } from '../../src/stores/embedded/index.ts'
import { type Bench, claim, createBench, request } from '../services/bench.ts'

const TENANT = 'default'
const LEASE_SECONDS = 2

let bench: Bench
let core: Core
/** Milliseconds that moving a video takes. */
let slow = 0
beforeAll(async () => {
  bench = await createBench()
  const storage: Storage = {
    ...bench.storage,
    async promote(from, to) {
      await delay(slow)
      return bench.storage.promote(from, to)
    },
  }
  core = await bench.core(embedded({ dataDir: join(bench.folder, 'data') }), { leaseSeconds: LEASE_SECONDS, storage })
})
afterAll(async () => {
  await core?.close()
  await bench?.dispose()
})

const accept = async (): Promise<string> => (await core.jobs.accept(TENANT, request(bench.imageUrl))).job.job_id

it('asks for at least two heartbeats within the time that a lease lives', async () => {
  const jobId = await accept()
  const lease = await claim(core)
  const lives = Date.parse(lease.deadline) - Date.now()
  expect(lives).toBeGreaterThan(0)
  expect(lives).toBeLessThanOrEqual(LEASE_SECONDS * 1000 + 100)
  expect(lease.heartbeat_interval).toBeGreaterThan(0)
  expect(lease.heartbeat_interval * 2).toBeLessThan(LEASE_SECONDS)
  await core.jobs.remove(TENANT, jobId)
})

it('is kept by the server while it moves the video, however long that takes', async () => {
  const jobId = await accept()
  const lease = await claim(core)
  await bench.render(lease)
  slow = LEASE_SECONDS * 2500
  const completing = core.leases.complete(lease.lease_id, {})
  const another = core.leases.claim({ model: 'camera', worker: 'another', wait: LEASE_SECONDS * 3 })
  expect(await completing.finally(() => (slow = 0))).toEqual({ job_id: jobId, status: 'completed' })
  expect(await another).toBeNull()
  expect(await core.jobs.get(TENANT, jobId)).toMatchObject({ status: 'completed', attempt: 1 })
})

it('leaves nothing in the storage when it is given back, or fails', async () => {
  for (const end of ['release', 'fail'] as const) {
    const jobId = await accept()
    const lease = await claim(core)
    await bench.render(lease)
    await bench.storage.put(leaseKeys(lease.lease_id).poster, Buffer.from('a poster'), { contentType: 'image/jpeg' })
    if (end === 'release') await core.leases.release(lease.lease_id)
    else await core.leases.fail(lease.lease_id, { error: 'enough', retryable: false })
    for (const key of Object.values(leaseKeys(lease.lease_id))) {
      await expect.poll(() => bench.storage.head(key), { timeout: 5000 }).toBeNull()
    }
    await core.jobs.remove(TENANT, jobId)
  }
})

it('changes nothing once it has ended: neither the job, nor its video, nor the next holder’s lease', async () => {
  const jobId = await accept()
  const first = await claim(core)
  await bench.render(first)
  await core.leases.release(first.lease_id)
  const second = await claim(core)
  expect(second.job_id).toBe(jobId)
  await bench.render(first)
  for (const late of [
    () => core.leases.heartbeat(first.lease_id, { progress: 99, stage: 'uploading' }),
    () => core.leases.complete(first.lease_id, {}),
    () => core.leases.fail(first.lease_id, { error: 'late', retryable: false }),
    () => core.leases.release(first.lease_id),
  ]) {
    await expect(late()).rejects.toMatchObject({ code: 'lease_lost' })
  }
  expect(await core.jobs.get(TENANT, jobId)).toMatchObject({ status: 'processing', progress: 0 })
  expect(await bench.storage.head(outputKeys(jobId).video)).toBeNull()
  await bench.render(second)
  expect(await core.leases.complete(second.lease_id, {})).toMatchObject({ status: 'completed' })
})
