/** Limits, on every store: what they refuse, what they leave behind (nothing), and that all processes share them. */
import { randomUUID } from 'node:crypto'
import { pino } from 'pino'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Core, TenantLimits } from '../../src/core.ts'
import { uploadKey } from '../../src/jobs/keys.ts'
import type { JobRecord } from '../../src/jobs/record.ts'
import type { StoreDriver } from '../../src/stores/store.ts'
import { type Bench, claim, request } from '../services/bench.ts'

/** What each tenant of these tests may. */
const LIMITS: Readonly<Record<string, TenantLimits>> = {
  two: { queued: 2 },
  'five-together': { queued: 5 },
  'one-at-a-time': { running: 1 },
  'one-left': { running: 1 },
  'two-together': { running: 2 },
  asking: { requestsPerMinute: 2 },
  'asking-together': { requestsPerMinute: 3 },
  sending: { bytesPerDay: 2048 },
}
const limits = { queued: 1000, of: (tenant: string) => LIMITS[tenant] }
const model = 'limited'
const models = ['camera', model]

export function describeLimits(isShared: boolean, parts: () => { bench: Bench; driver: StoreDriver }): void {
  describe('limits', () => {
    let bench: Bench
    let core: Core
    let picture: Buffer
    const open = (): Promise<Core> => bench.core(parts().driver, { models, limits })
    beforeAll(async () => {
      bench = parts().bench
      core = await open()
      picture = await sharp({ create: { width: 16, height: 16, channels: 3, background: '#396' } })
        .jpeg()
        .toBuffer()
    })
    afterAll(() => core?.close())

    async function upload(tenant: string): Promise<{ upload_id: string }> {
      const upload_id = randomUUID()
      await bench.storage.put(uploadKey(tenant, upload_id), picture, { contentType: 'image/jpeg' })
      await core.uploads.arrived(uploadKey(tenant, upload_id))
      return { upload_id }
    }
    /** A job whose picture is there. */
    const add = async (tenant: string, idempotencyKey?: string, at = core) =>
      (await at.jobs.accept(tenant, request(await upload(tenant), { model }), { idempotencyKey })).job
    const jobsOf = async (tenant: string) => (await core.jobs.list(tenant, { limit: 100 })).jobs
    const noJob = async (): Promise<void> =>
      expect(await core.leases.claim({ model, worker: 'test', wait: 0.3 })).toBeNull()
    const end = async (lease: { lease_id: string }, at = core) =>
      at.leases.fail(lease.lease_id, { error: 'over', retryable: false })

    it('takes no more jobs of a tenant than he may have, and leaves nothing of the others', async () => {
      const image = await upload('two')
      const same = () => core.jobs.accept('two', request(image, { model }), { idempotencyKey: 'once' })
      const { job } = await same()
      const other = await add('two')
      await expect(add('two')).rejects.toMatchObject({ code: 'too_many_jobs', status: 429, retryAfter: 10 })
      expect(await same()).toMatchObject({ repeated: true, job: { job_id: job.job_id } })
      expect(await jobsOf('two')).toHaveLength(2)
      // Others may have more, and one that ends makes room.
      await Promise.all([add('somebody'), add('somebody'), add('somebody')])
      await core.jobs.cancel('two', other.job_id)
      const third = await add('two')
      await expect(add('two')).rejects.toMatchObject({ code: 'too_many_jobs' })
      await core.jobs.remove('two', third.job_id)
      await core.jobs.remove('two', other.job_id)
      const last = await add('two')
      for (const { job_id } of [job, last]) await core.jobs.cancel('two', job_id)
      for (const { job_id } of await jobsOf('somebody')) await core.jobs.cancel('somebody', job_id)
    })

    it('hands workers as many jobs of a tenant as may run, the others wait outside their line', async () => {
      const tenant = 'one-at-a-time'
      const [first, canceled, deleted, last] = [
        await add(tenant),
        await add(tenant),
        await add(tenant),
        await add(tenant),
      ]
      const lease = await claim(core, model)
      expect(lease.job_id).toBe(first.job_id)
      await noJob()
      expect(await core.jobs.get(tenant, last.job_id)).toMatchObject({ status: 'queued', attempt: 0 })
      expect(await core.jobs.get(tenant, last.job_id)).not.toHaveProperty('stage')
      // Another tenant does not wait for this one.
      await add('somebody')
      await end(await claim(core, model))
      await core.jobs.cancel(tenant, canceled.job_id)
      await core.jobs.remove(tenant, deleted.job_id)
      await noJob()

      // A failed attempt keeps its place.
      await core.leases.fail(lease.lease_id, { error: 'once' })
      const again = await claim(core, model)
      expect(again.job_id).toBe(first.job_id)
      await end(again)
      const next = await claim(core, model)
      expect(next.job_id).toBe(last.job_id)
      await end(next)
      await noJob()
      expect((await jobsOf(tenant)).map(({ status }) => status)).toEqual(['failed', 'canceled', 'failed'])
    })

    it('counts requests in a minute', async () => {
      await core.limits.request('asking')
      await core.limits.request('asking')
      const refused = core.limits.request('asking')
      await expect(refused).rejects.toMatchObject({
        code: 'too_many_requests',
        status: 429,
        retryAfter: expect.any(Number),
      })
      await refused.catch(({ retryAfter }: { retryAfter: number }) => expect(retryAfter).toBeLessThanOrEqual(60))
      for (let request = 0; request < 5; request++) await core.limits.request('somebody')
    })

    it('counts the bytes of pictures in a day, each once', async () => {
      const tenant = 'sending'
      const image = await upload(tenant)
      const same = () => core.jobs.accept(tenant, request(image, { model }), { idempotencyKey: 'once' })
      const made = [(await same()).job]
      expect(await same()).toMatchObject({ repeated: true })
      const { job } = await core.jobs.accept(tenant, request(bench.imageUrl, { model }))
      made.push(job)
      await expect.poll(() => bench.storage.head(`inputs/${job.job_id}/input.jpg`), { timeout: 10_000 }).not.toBeNull()
      await expect(add(tenant)).rejects.toMatchObject({
        code: 'too_many_bytes',
        status: 429,
        retryAfter: expect.any(Number),
      })
      await expect(core.jobs.accept(tenant, request(bench.imageUrl, { model }))).rejects.toMatchObject({
        code: 'too_many_bytes',
      })
      expect(await same()).toMatchObject({ repeated: true })
      expect(await jobsOf(tenant)).toHaveLength(2)
      for (const { job_id } of made) await core.jobs.cancel(tenant, job_id)
    })

    // An embedded store has one process.
    if (isShared) {
      it('are shared by all processes', { timeout: 30_000 }, async () => {
        const there = await open()
        try {
          const both = (index: number): Core => (index % 2 === 0 ? core : there)
          const many = (tenant: string) =>
            Promise.allSettled(Array.from({ length: 10 }, (_, index) => add(tenant, undefined, both(index))))
          const taken = (await many('five-together')).filter(({ status }) => status === 'fulfilled')
          expect(taken).toHaveLength(5)
          for (const { job_id } of await jobsOf('five-together')) await core.jobs.cancel('five-together', job_id)

          const asked = Array.from({ length: 6 }, (_, index) => both(index).limits.request('asking-together'))
          expect((await Promise.allSettled(asked)).filter(({ status }) => status === 'fulfilled')).toHaveLength(3)

          expect((await many('two-together')).every(({ status }) => status === 'fulfilled')).toBe(true)
          for (let left = 10; left > 0; left -= 2) {
            const leases = [await claim(core, model), await claim(there, model)]
            await noJob()
            for (const [index, lease] of leases.entries()) await end(lease, both(index + 1))
          }
        } finally {
          await there.close()
        }
      })
    }

    it(
      'gives whoever waits his turn when a process died before it could, and when the limit is gone',
      { timeout: 30_000 },
      async () => {
        const tenant = 'one-left'
        const [first, second] = [await add(tenant), await add(tenant)]
        await core.close()
        core = await bench.core(parts().driver, { models })
        const leases = [await claim(core, model), await claim(core, model)]
        expect(leases.map(({ job_id }) => job_id).toSorted()).toEqual([first.job_id, second.job_id].toSorted())
        await Promise.all(leases.map((lease) => end(lease)))
      },
    )

    it('takes no more jobs than the whole queue may have', async () => {
      await core.close()
      const store = await parts().driver.open({
        logger: pino({ level: 'silent' }),
        retention: { completed: 60, failed: 60 },
      })
      const { history } = store
      const record = (): JobRecord => ({
        job_id: `job_${randomUUID()}`,
        tenant: randomUUID(),
        model,
        created_at: Date.now(),
        settings: { duration: 1, seed: 1 },
      })
      const before = (await history.open({ limit: 100_000 })).length
      const room = { ofTenant: 0, inAll: before + 2 }
      const [first, second, third] = await Promise.all(
        [record(), record(), record()].map((one) => history.register(one, room)),
      )
      expect([first, second]).toMatchObject([{ created: true }, { created: true }])
      expect(third).toEqual({ noRoom: 'inAll' })
      expect((await history.open({ limit: 100_000 })).length).toBe(before + 2)
      await store.close()
    })
  })
}
