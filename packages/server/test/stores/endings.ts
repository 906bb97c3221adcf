/** How jobs end, on every store: decided once by the store, carried on by anybody, and nobody waits for another's. */
import { randomUUID } from 'node:crypto'
import { withBackend } from 'bullmq'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Bench, claim, reaches, request } from '../services/bench.ts'
import type { Core } from '../../src/core.ts'
import { SILENT_CLAIMS } from '../../src/jobs/attempts.ts'
import { leaseKeys } from '../../src/jobs/keys.ts'
import type { VideoData, VideoResult } from '../../src/jobs/video-job.ts'
import type { Store, StoreConnection, StoreDriver } from '../../src/stores/store.ts'

const TENANT = 'default'

/** The store that a driver opens, to look behind the core that stands on it. */
export function looking(driver: StoreDriver): { readonly driver: StoreDriver; readonly store: () => Store } {
  let opened: Store | undefined
  return {
    driver: {
      name: driver.name,
      async open(context) {
        opened = await driver.open(context)
        return opened
      },
    },
    store() {
      if (!opened) throw new Error('The store has not been opened yet.')
      return opened
    },
  }
}

interface Given {
  readonly bench: Bench
  readonly driver: StoreDriver
}

/** A core, and the store that it stands on. */
async function opened({ bench, driver }: Given, options: Parameters<Bench['core']>[1]) {
  const seen = looking(driver)
  const core = await bench.core(seen.driver, options)
  return { bench, core, store: seen.store() }
}

export function describeEndings(given: () => Given): void {
  describe('endings', () => {
    let bench: Bench
    let core: Core
    let store: Store
    beforeAll(async () => {
      ;({ bench, core, store } = await opened(given(), { leaseSeconds: 1, deliveryDelays: [0, 50, 100] }))
    })
    afterAll(() => core?.close())
    const add = async (fields: Parameters<typeof request>[1] = {}, tenant = TENANT) =>
      (await core.jobs.accept(tenant, request(bench.imageUrl, fields))).job
    const place = (job_id: string) => ({ job_id, tenant: TENANT, queue: 'video-generation' })
    const connection = (): StoreConnection => ({ store: store.name })

    it('of one tenant’s jobs, however long, keep nobody else’s waiting', { timeout: 30_000 }, async () => {
      // Held by somebody who never makes a lease of his claims: the hardest to end.
      const { Worker } = withBackend(store.backend)
      const holder = new Worker<VideoData, VideoResult>('video-generation-other', null, {
        connection: connection(),
        autorun: false,
        lockDuration: 60_000,
      })
      await holder.waitUntilReady()
      try {
        const held = await Promise.all(Array.from({ length: 8 }, () => add({ model: 'other' }, 'greedy')))
        for (const _ of held) {
          await expect.poll(() => holder.getNextJob(randomUUID(), { block: false }), { timeout: 5000 }).toBeTruthy()
        }
        const waiting = await add({ model: 'other' }, 'modest')
        const began = performance.now()
        const greedy = held.map((job) => core.jobs.cancel('greedy', job.job_id))
        expect(await core.jobs.cancel('modest', waiting.job_id)).toMatchObject({ status: 'canceled' })
        expect(performance.now() - began).toBeLessThan(4000)
        for (const job of await Promise.all(greedy)) expect(job).toMatchObject({ status: 'canceled' })
        expect(performance.now() - began).toBeLessThan(6000)
      } finally {
        await holder.close(true)
      }
    })

    it('come first where two come at once, and stay as they are', async () => {
      for (let round = 0; round < 6; round++) {
        const { job_id } = await add({ webhook_url: bench.url(`/race-${round}`) })
        const lease = await claim(core)
        await bench.render(lease)
        const [canceled, completed, failed] = await Promise.allSettled([
          core.jobs.cancel(TENANT, job_id),
          core.leases.complete(lease.lease_id, {}),
          core.leases.fail(lease.lease_id, { error: 'over', retryable: false }),
        ])
        const job = await core.jobs.get(TENANT, job_id)
        // Whoever was told how the job ended was told the truth.
        expect(canceled).toMatchObject({ status: 'fulfilled', value: { status: job.status } })
        for (const told of [completed, failed]) {
          if (told.status === 'fulfilled') expect(told.value).toEqual({ job_id, status: job.status })
          else expect(told.reason).toMatchObject({ code: 'lease_lost' })
        }
        await expect
          .poll(() => bench.received.filter(({ path }) => path === `/race-${round}`).length, { timeout: 10_000 })
          .toBe(1)
        expect(JSON.parse(bench.received.find(({ path }) => path === `/race-${round}`)?.body ?? '')).toMatchObject({
          type: `job.${job.status}`,
        })
        expect((await core.jobs.get(TENANT, job_id)).completed_at).toBe(job.completed_at)
      }
    })

    it('are carried on by anybody where whoever decided one died', async () => {
      const { job_id } = await add({ webhook_url: bench.url('/left-behind') })
      await claim(core)
      const [state] = await store.states.read([place(job_id)])
      const job = await core.jobs.get(TENANT, job_id)
      // As far as a process came that was killed right after the decision.
      const final = { job: { ...job, status: 'failed' as const, error_code: 'test' }, finished_at: 0 }
      const decided = await store.states.decide(place(job_id), final, { holder: state?.live?.token ?? null })
      expect(decided).toMatchObject({ kind: 'ended', mine: true, holder: state?.live?.token })
      expect(await core.jobs.get(TENANT, job_id)).toMatchObject({ status: 'failed', error_code: 'test' })
      await expect
        .poll(() => bench.received.filter(({ path }) => path === '/left-behind').length, { timeout: 10_000 })
        .toBe(1)
      await expect.poll(() => store.states.unfollowed(0, 100), { timeout: 5000 }).not.toContain(job_id)
      expect(await store.states.holder(place(job_id))).toBeNull()
    })

    it('are dated by the store, and fenced by who holds the job', async () => {
      const { job_id } = await add()
      const lease = await claim(core)
      const job = { ...(await core.jobs.get(TENANT, job_id)), completed_at: 'whenever' }
      const as = (status: 'failed' | 'canceled') => ({ job: { ...job, status }, finished_at: 0 })
      const before = await store.states.now()
      for (const holder of [randomUUID(), null]) {
        expect(await store.states.decide(place(job_id), as('failed'), { holder })).toEqual({ kind: 'refused' })
      }
      const first = await store.states.decide(place(job_id), as('failed'), { holder: lease.lease_id })
      expect(first).toMatchObject({ kind: 'ended', mine: true, final: { job: { status: 'failed' } } })
      const second = await store.states.decide(place(job_id), as('canceled'))
      expect(second).toMatchObject({ kind: 'ended', mine: false, final: { job: { status: 'failed' } } })
      if (first.kind !== 'ended' || second.kind !== 'ended') throw new Error('It has not ended.')
      expect(second.final).toEqual(first.final)
      expect(first.final.finished_at).toBeGreaterThanOrEqual(before)
      expect(Date.parse(first.final.job.completed_at ?? '')).toBe(first.final.finished_at)
      expect(await store.states.decide(place('job_unknown'), as('failed'))).toEqual({ kind: 'gone' })
    })

    it('of another version’s making, in BullMQ alone, are read as they were meant', async () => {
      const { job_id } = await add({ webhook_url: bench.url('/older') })
      const lease = await claim(core)
      const { Queue } = withBackend(store.backend)
      const queue = new Queue<VideoData, VideoResult>('video-generation', { connection: connection() })
      const bull = await queue.getJob(job_id)
      await bull?.moveToCompleted(
        { lease_id: lease.lease_id, video: { key: 'outputs/older.mp4' } },
        lease.lease_id,
        false,
      )
      expect(await core.jobs.get(TENANT, job_id)).toMatchObject({ status: 'completed', progress: 100 })
      await expect
        .poll(() => bench.received.filter(({ path }) => path === '/older').length, { timeout: 10_000 })
        .toBe(1)
      expect(await core.leases.complete(lease.lease_id, {})).toMatchObject({ status: 'completed' })
      await queue.close()
    })
  })

  describe('attempts', () => {
    let bench: Bench
    let core: Core
    let store: Store
    beforeAll(async () => {
      ;({ bench, core, store } = await opened(given(), { leaseSeconds: 1 }))
    })
    afterAll(() => core?.close())
    const add = async () => (await core.jobs.accept(TENANT, request(bench.imageUrl))).job

    it('begin with the worker’s first word: a claim whose answer is lost costs none', async () => {
      const { job_id } = await add()
      expect(await claim(core)).toMatchObject({ job_id, attempt: 1 })
      const silent = await core.jobs.get(TENANT, job_id)
      expect(silent).toMatchObject({ status: 'processing', attempt: 0 })
      expect(silent).not.toHaveProperty('started_at')

      const second = await claim(core)
      expect(second).toMatchObject({ job_id, attempt: 1 })
      await core.leases.heartbeat(second.lease_id, { progress: 1, stage: 'generating' })
      expect(await core.jobs.get(TENANT, job_id)).toMatchObject({ attempt: 1, started_at: expect.any(String) })

      // This one has spoken, and then dies.
      const third = await claim(core)
      expect(third).toMatchObject({ job_id, attempt: 2 })
      expect(await core.leases.release(third.lease_id)).toMatchObject({ status: 'queued' })
      expect(await core.jobs.get(TENANT, job_id)).toMatchObject({ status: 'queued', attempt: 1 })

      const fourth = await claim(core)
      expect(fourth).toMatchObject({ job_id, attempt: 2 })
      expect(await core.leases.fail(fourth.lease_id, { error: 'once' })).toMatchObject({ status: 'queued' })
      expect(await core.jobs.get(TENANT, job_id)).toMatchObject({ status: 'queued', attempt: 2 })
      await core.jobs.remove(TENANT, job_id)
    })

    it.each(['complete', 'fail'] as const)('count where the first word is %s', async (word) => {
      const { job_id } = await add()
      const lease = await claim(core)
      await bench.render(lease)
      const end =
        word === 'complete'
          ? await core.leases.complete(lease.lease_id, {})
          : await core.leases.fail(lease.lease_id, { error: 'over', retryable: false })
      expect(await core.jobs.get(TENANT, job_id)).toMatchObject({
        status: end.status,
        attempt: 1,
        started_at: expect.any(String),
      })
      expect(await bench.storage.head(leaseKeys(lease.lease_id).video)).toBeNull()
    })

    it(`end a job after ${SILENT_CLAIMS} claims in a row of which nobody heard again`, async () => {
      const { job_id } = await add()
      await claim(core)
      const { Queue } = withBackend(store.backend)
      const connection: StoreConnection = { store: store.name }
      const queue = new Queue<VideoData, VideoResult>('video-generation', { connection })
      const bull = await queue.getJob(job_id)
      const told = bull?.progress as { before: object }
      // All but one of them have been.
      await bull?.updateProgress({ ...told, before: { ...told.before, silent_in_row: SILENT_CLAIMS - 1 } })
      await queue.close()
      expect(await reaches(core, TENANT, job_id, 'failed')).toMatchObject({
        error_code: 'worker_lost',
        error_message: expect.stringContaining(`${SILENT_CLAIMS} workers in a row`),
        attempt: 0,
      })
    })
  })
}
