/** What every store has to do: one suite, run on each of them with real parts around it. */
import { randomUUID } from 'node:crypto'
import { type Abilities, verifyWebhookSignature } from '@kinora/protocol'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createPictureHosts, type PictureHosts } from '../services/picture-hosts.ts'
import { describeEndings } from './endings.ts'
import { type Bench, claim, createBench, MP4, reaches, request } from '../services/bench.ts'
import { describeLimits } from './limits.ts'
import type { Core, Snapshot } from '../../src/core.ts'
import { inputKey, leaseKeys, outputKeys, uploadKey } from '../../src/jobs/keys.ts'
import type { StoreDriver, StoreName } from '../../src/stores/store.ts'

export interface StoreUnderTest {
  readonly driver: StoreDriver
  /** Ends the store's server as a crash would, and brings it back. A store inside the process has none. */
  readonly outage?: { kill(): Promise<void>; start(): Promise<void> } | undefined
  dispose(): Promise<void>
}

const TENANT = 'default'
const logger = pino({ level: 'silent' })

export function describeStore(
  name: StoreName,
  skip: string | false,
  make: (folder: string) => Promise<StoreUnderTest>,
): void {
  // Vitest shows the name, and so why it was skipped.
  describe.skipIf(skip !== false)(skip === false ? `store: ${name}` : `store: ${name} (${skip})`, () => {
    let bench: Bench
    let store: StoreUnderTest
    beforeAll(async () => {
      bench = await createBench()
      store = await make(bench.folder)
    })
    afterAll(async () => {
      await store?.dispose()
      await bench?.dispose()
    })

    describe('jobs and leases', () => {
      let core: Core
      beforeAll(async () => {
        core = await bench.core(store.driver, { deliveryDelays: [0, 50, 100] })
      })
      afterAll(() => core?.close())
      const add = async (fields: Parameters<typeof request>[1] = {}, key?: string, tenant = TENANT) =>
        (await core.jobs.accept(tenant, request(bench.imageUrl, fields), { idempotencyKey: key })).job

      it('takes a job in, hands it to a worker, and keeps the video', async () => {
        const accepted = await add({ prompt: 'a harbour', seed: 7 })
        expect(accepted).toMatchObject({ status: 'queued', attempt: 0, model: 'camera', duration: 5, seed: 7 })
        expect(accepted).not.toHaveProperty('started_at')

        const lease = await claim(core)
        expect(lease).toMatchObject({ job_id: accepted.job_id, attempt: 1, settings: { prompt: 'a harbour', seed: 7 } })
        expect(await bench.storage.head(inputKey(lease.job_id))).toMatchObject({ contentType: 'image/jpeg' })
        expect(await core.jobs.get(TENANT, lease.job_id)).toMatchObject({ status: 'processing', stage: 'fetching' })

        const settings = {
          prompt: 'a harbour',
          duration: 5,
          seed: 7,
          width: 1024,
          height: 576,
          fps: 24,
          num_frames: 121,
        }
        const beat = await core.leases.heartbeat(lease.lease_id, { progress: 40, stage: 'generating', settings })
        expect(beat.cancel).toBe(false)
        expect(Date.parse(beat.deadline)).toBeGreaterThan(Date.now() + 25_000)
        expect(await core.jobs.get(TENANT, lease.job_id)).toMatchObject({
          progress: 40,
          stage: 'generating',
          width: 1024,
        })

        await bench.render(lease)
        expect(await core.leases.complete(lease.lease_id, {})).toEqual({ job_id: lease.job_id, status: 'completed' })
        const done = await core.jobs.get(TENANT, lease.job_id)
        expect(done).toMatchObject({ status: 'completed', progress: 100, attempt: 1, num_frames: 121 })
        expect(done.result_url).toContain(outputKeys(lease.job_id).video)
        expect(await bench.storage.head(outputKeys(lease.job_id).video)).toMatchObject({ size: MP4.length })
        expect(await bench.storage.head(leaseKeys(lease.lease_id).video)).toBeNull()
        // Its answer may have been lost.
        expect(await core.leases.complete(lease.lease_id, {})).toMatchObject({ status: 'completed' })
      })

      it('tells what was asked, what was used and what was left aside, and carries the tenant’s own along', async () => {
        const metadata = { order: 'A-1042', tags: ['cats'] }
        const asked = { duration: 5, prompt: 'a harbour', steps: 20 }
        const { job_id } = await add({ ...asked, metadata })
        const waiting = await core.jobs.get(TENANT, job_id)
        expect(waiting).toMatchObject({ requested: asked, metadata, steps: 20 })
        expect(waiting.requested).not.toHaveProperty('seed')

        const lease = await claim(core)
        expect(lease.settings).toEqual({ ...asked, seed: waiting.seed })
        const used = {
          prompt: 'a harbour',
          duration: 5,
          seed: waiting.seed,
          width: 64,
          height: 64,
          fps: 8,
          num_frames: 41,
        }
        const notices = ['This checkpoint has 8 fixed steps; steps: 20 was left aside.']
        await core.leases.heartbeat(lease.lease_id, { progress: 20, stage: 'generating', settings: used, notices })
        const running = await core.jobs.get(TENANT, job_id)
        expect(running).toMatchObject({ ...used, notices, requested: asked, metadata })
        expect(running).not.toHaveProperty('steps')

        // What is left out of the last word stays as it was told.
        await bench.render(lease)
        await core.leases.complete(lease.lease_id, { settings: { ...used, steps: 8 } })
        const done = { ...used, steps: 8, notices, requested: asked, metadata, status: 'completed' }
        expect(await core.jobs.get(TENANT, job_id)).toMatchObject(done)
        expect((await core.jobs.list(TENANT, { limit: 1 })).jobs[0]).toMatchObject(done)
      })

      it('makes one job of two requests with the same key, and refuses another request with it', async () => {
        const key = randomUUID()
        const jobs = await Promise.all([
          add({ prompt: 'one' }, key),
          add({ prompt: 'one' }, key),
          add({ prompt: 'one' }, key),
        ])
        expect(new Set(jobs.map((job) => job.job_id)).size).toBe(1)
        expect(new Set(jobs.map((job) => job.seed)).size).toBe(1)
        await expect(add({ prompt: 'two' }, key)).rejects.toMatchObject({ code: 'idempotency_mismatch' })
        await expect(add({ prompt: 'one', model: 'other' }, key)).rejects.toMatchObject({
          code: 'idempotency_mismatch',
        })
        const elsewhere = await add({ prompt: 'one' }, key, 'somebody-else')
        expect(elsewhere.job_id).not.toBe(jobs[0]?.job_id)
        for (const [tenant, job] of [
          [TENANT, jobs[0]],
          ['somebody-else', elsewhere],
        ] as const) {
          await core.jobs.remove(tenant, job?.job_id ?? '')
        }
      })

      it('lets a worker wait for a job that comes later, and for nothing', async () => {
        const waiting = claim(core)
        const job = await add()
        const lease = await waiting
        expect(lease.job_id).toBe(job.job_id)
        await core.leases.fail(lease.lease_id, { error: 'enough', retryable: false })
        expect(await core.leases.claim({ model: 'camera', worker: 'test', wait: 0.05 })).toBeNull()
        const gone = new AbortController()
        const aborted = core.leases.claim({ model: 'camera', worker: 'test', wait: 20, signal: gone.signal })
        gone.abort()
        expect(await aborted).toBeNull()
      })

      it('hands a job to the worker that has waited longest, and never to one that has gone', async () => {
        const gone = new AbortController()
        const first = core.leases.claim({ model: 'camera', worker: 'gone', wait: 20, signal: gone.signal })
        const second = claim(core)
        const third = claim(core)
        gone.abort()
        expect(await first).toBeNull()
        // One after the other: pictures that are fetched at the same time may come into the line in either order.
        const leases = []
        for (const waiting of [second, third]) {
          const { job_id } = await add()
          const lease = await waiting
          expect(lease.job_id).toBe(job_id)
          leases.push(lease)
        }
        for (const lease of leases) await core.leases.fail(lease.lease_id, { error: 'enough', retryable: false })
      })

      it('gives a released job to the next worker without using an attempt', async () => {
        const job = await add()
        const first = await claim(core)
        expect(await core.leases.release(first.lease_id)).toEqual({ job_id: job.job_id, status: 'queued' })
        expect(await core.jobs.get(TENANT, job.job_id)).toMatchObject({ status: 'queued', attempt: 0 })
        const second = await claim(core)
        expect(second).toMatchObject({ job_id: job.job_id, attempt: 1 })
        for (const late of await Promise.allSettled([
          core.leases.heartbeat(first.lease_id, { progress: 1, stage: 'generating' }),
          core.leases.complete(first.lease_id, {}),
          core.leases.fail(first.lease_id, { error: 'late' }),
          core.leases.release(first.lease_id),
        ])) {
          expect(late).toMatchObject({ status: 'rejected', reason: { code: 'lease_lost' } })
        }
        expect(await core.jobs.get(TENANT, job.job_id)).toMatchObject({ status: 'processing' })
        await core.leases.fail(second.lease_id, { error: 'enough', retryable: false })
      })

      it('refuses leases that never were', async () => {
        await expect(core.leases.heartbeat(randomUUID(), { progress: 1, stage: 'generating' })).rejects.toMatchObject({
          code: 'lease_lost',
        })
        await expect(core.leases.complete('0', {})).rejects.toMatchObject({ code: 'lease_lost' })
      })

      it('tries three times, with a growing pause, and says why it failed', async () => {
        const { job_id: jobId } = await add()
        const claimed: number[] = []
        for (const attempt of [1, 2, 3]) {
          const lease = await claim(core)
          claimed.push(Date.now())
          expect(lease).toMatchObject({ job_id: jobId, attempt })
          const end = await core.leases.fail(lease.lease_id, { error: 'out of luck', error_code: 'engine_error' })
          expect(end.status).toBe(attempt < 3 ? 'queued' : 'failed')
        }
        expect((claimed[1] ?? 0) - (claimed[0] ?? 0)).toBeGreaterThan(900)
        expect((claimed[2] ?? 0) - (claimed[1] ?? 0)).toBeGreaterThan(1900)
        expect(await core.jobs.get(TENANT, jobId)).toMatchObject({
          status: 'failed',
          error_code: 'engine_error',
          error_message: 'out of luck',
          attempt: 3,
        })
      })

      it('counts a result that is no video as a failed attempt', async () => {
        const { job_id: jobId } = await add()
        const lease = await claim(core)
        expect(await core.leases.complete(lease.lease_id, {})).toMatchObject({ status: 'queued' })
        const again = await claim(core)
        await bench.storage.put(leaseKeys(again.lease_id).video, Buffer.from('not a video at all'), {
          contentType: 'video/mp4',
        })
        expect(await core.leases.complete(again.lease_id, {})).toMatchObject({ status: 'queued' })
        await core.jobs.remove(TENANT, jobId)
      })

      describe('cancel', () => {
        it('ends a waiting job at once', async () => {
          const { job_id: jobId } = await add()
          const canceled = await core.jobs.cancel(TENANT, jobId)
          expect(canceled).toMatchObject({ status: 'canceled', error_code: 'canceled' })
          expect(await core.jobs.get(TENANT, jobId)).toEqual(canceled)
          expect(await core.leases.claim({ model: 'camera', worker: 'test', wait: 0.05 })).toBeNull()
        })

        it('ends a job between two attempts', async () => {
          const { job_id: jobId } = await add()
          await core.leases.fail((await claim(core)).lease_id, { error: 'once' })
          expect(await core.jobs.cancel(TENANT, jobId)).toMatchObject({ status: 'canceled', attempt: 1 })
          expect(await core.leases.claim({ model: 'camera', worker: 'test', wait: 1.2 })).toBeNull()
        })

        it('tells the worker, whatever it does next', async () => {
          const { job_id: jobId } = await add()
          const lease = await claim(core)
          expect(await core.jobs.cancel(TENANT, jobId)).toMatchObject({ status: 'canceled' })
          expect(await core.leases.heartbeat(lease.lease_id, { progress: 50, stage: 'generating' })).toMatchObject({
            cancel: true,
          })
          await bench.render(lease)
          expect(await core.leases.complete(lease.lease_id, {})).toMatchObject({ status: 'canceled' })
          expect(await core.leases.fail(lease.lease_id, { error: 'Canceled', error_code: 'canceled' })).toMatchObject({
            status: 'canceled',
          })
          expect(await core.jobs.get(TENANT, jobId)).toMatchObject({ status: 'canceled' })
        })

        it('leaves an ended job as it is', async () => {
          const { job_id: jobId } = await add()
          const lease = await claim(core)
          await bench.render(lease)
          await core.leases.complete(lease.lease_id, {})
          const before = await core.jobs.get(TENANT, jobId)
          expect((await core.jobs.cancel(TENANT, jobId)).status).toBe('completed')
          expect(await core.jobs.get(TENANT, jobId)).toMatchObject({ completed_at: before.completed_at })
        })

        it('finds the right one among many', async () => {
          const jobs = await Promise.all(Array.from({ length: 12 }, () => add()))
          const canceled = jobs.filter((_, index) => index % 2 === 1)
          const answers = await Promise.all(canceled.map((job) => core.jobs.cancel(TENANT, job.job_id)))
          expect(answers.map((job) => job.status)).toEqual(canceled.map(() => 'canceled'))
          const claimed = new Set<string>()
          for (let lease; (lease = await core.leases.claim({ model: 'camera', worker: 'test', wait: 2 }));) {
            claimed.add(lease.job_id)
            await core.leases.fail(lease.lease_id, { error: 'enough', retryable: false })
          }
          expect(claimed).toEqual(new Set(jobs.filter((job) => !canceled.includes(job)).map((job) => job.job_id)))
        })
      })

      describe('delete', () => {
        const gone = async (jobId: string) => {
          await expect(core.jobs.get(TENANT, jobId)).rejects.toMatchObject({ code: 'job_not_found' })
          for (const key of [inputKey(jobId), ...Object.values(outputKeys(jobId))]) {
            expect(await bench.storage.head(key)).toBeNull()
          }
          expect((await core.jobs.list(TENANT, { limit: 100 })).jobs.map((job) => job.job_id)).not.toContain(jobId)
        }

        it.each(['waiting', 'delayed', 'active', 'completed', 'failed'] as const)(
          'removes a job that is %s',
          async (state) => {
            const { job_id: jobId } = await add({ webhook_url: bench.url('/deleted') })
            if (state !== 'waiting') {
              const lease = await claim(core)
              expect(lease.job_id).toBe(jobId)
              if (state === 'delayed') await core.leases.fail(lease.lease_id, { error: 'once' })
              if (state === 'failed') await core.leases.fail(lease.lease_id, { error: 'over', retryable: false })
              if (state === 'completed') {
                await bench.render(lease)
                await core.leases.complete(lease.lease_id, {})
              }
            }
            await core.jobs.remove(TENANT, jobId)
            await gone(jobId)
            expect(await core.leases.claim({ model: 'camera', worker: 'test', wait: 0.05 })).toBeNull()
            await expect(core.jobs.remove(TENANT, jobId)).rejects.toMatchObject({ code: 'job_not_found' })
          },
        )
      })

      describe('webhooks', () => {
        const messages = (path: string) => bench.received.filter((one) => one.path === path)

        it('tells of success, with a signature that checks', async () => {
          const job = await add({ webhook_url: bench.url('/done') })
          const lease = await claim(core)
          await bench.render(lease)
          await core.leases.complete(lease.lease_id, {})
          await expect.poll(() => messages('/done').length, { timeout: 10_000 }).toBe(1)
          const [message] = messages('/done')
          const verified = await verifyWebhookSignature({
            headers: message?.headers ?? {},
            body: message?.body ?? '',
            secret: core.webhookSecrets.of(TENANT),
          })
          expect(verified.id).toBe(`msg_${job.job_id}`)
          expect(message?.headers['x-webhook-secret']).toBe('a webhook secret of the tests')
          expect(JSON.parse(message?.body ?? '')).toMatchObject({
            type: 'job.completed',
            job_id: job.job_id,
            status: 'completed',
            video_url: expect.stringContaining(outputKeys(job.job_id).video),
            data: { status: 'completed' },
          })
          await expect
            .poll(async () => (await core.jobs.get(TENANT, job.job_id)).webhook)
            .toMatchObject({ status: 'delivered', attempts: 1 })
        })

        it('tells of failure only when it is final', async () => {
          await add({ webhook_url: bench.url('/failed') })
          await core.leases.fail((await claim(core)).lease_id, { error: 'once' })
          const lease = await claim(core)
          expect(messages('/failed')).toEqual([])
          await core.leases.fail(lease.lease_id, { error: 'for good', retryable: false })
          await expect.poll(() => messages('/failed').length, { timeout: 10_000 }).toBe(1)
          expect(JSON.parse(messages('/failed')[0]?.body ?? '')).toMatchObject({
            type: 'job.failed',
            status: 'failed',
            error: 'for good',
          })
        })

        it('tells of a cancel', async () => {
          const job = await add({ webhook_url: bench.url('/canceled') })
          await core.jobs.cancel(TENANT, job.job_id)
          await expect.poll(() => messages('/canceled').length, { timeout: 10_000 }).toBe(1)
          expect(JSON.parse(messages('/canceled')[0]?.body ?? '')).toMatchObject({
            type: 'job.canceled',
            status: 'failed',
            error: 'Canceled',
          })
        })

        it('sends the same message again until it is taken, and then no more', async () => {
          bench.answers('/long-again', 500, 302)
          const job = await add({ webhook_url: bench.url('/long-again') })
          await core.leases.fail((await claim(core)).lease_id, { error: 'over', retryable: false })
          await expect.poll(() => messages('/long-again').length, { timeout: 10_000 }).toBe(3)
          expect(new Set(messages('/long-again').map((one) => one.body)).size).toBe(1)
          expect(new Set(messages('/long-again').map((one) => one.headers['webhook-id'])).size).toBe(1)
          await expect
            .poll(async () => (await core.jobs.get(TENANT, job.job_id)).webhook)
            .toMatchObject({ status: 'delivered', attempts: 3 })
        })

        it('stops at 410, and shows the last failure on the job', async () => {
          bench.answers('/never', 410, 410)
          const job = await add({ webhook_url: bench.url('/never') })
          await core.leases.fail((await claim(core)).lease_id, { error: 'over', retryable: false })
          await expect
            .poll(async () => (await core.jobs.get(TENANT, job.job_id)).webhook, { timeout: 10_000 })
            .toMatchObject({ status: 'failed', attempts: 1, last_error: expect.stringContaining('410') })
          expect(messages('/never')).toHaveLength(1)
        })
      })

      describe('pictures', () => {
        it('fails a job at once whose picture is none', async () => {
          const { job } = await core.jobs.accept(TENANT, request(bench.url('/page.html')))
          const failed = await reaches(core, TENANT, job.job_id, 'failed')
          expect(failed).toMatchObject({
            error_code: 'image_invalid',
            error_message: expect.stringContaining('web page'),
          })
        })

        it('fails a job at once whose picture is not there', async () => {
          const { job } = await core.jobs.accept(TENANT, request(bench.url('/missing.jpg')))
          expect(await reaches(core, TENANT, job.job_id, 'failed')).toMatchObject({ error_code: 'image_unreachable' })
        })

        it('tries again where the picture may come later', async () => {
          const { job } = await core.jobs.accept(TENANT, request(bench.url('/busy.jpg')))
          expect(await core.leases.claim({ model: 'camera', worker: 'test', wait: 0.5 })).toBeNull()
          const waiting = await core.jobs.get(TENANT, job.job_id)
          expect(waiting).toMatchObject({ status: 'queued', stage: 'fetching', attempt: 0 })
          expect(waiting).not.toHaveProperty('started_at')
          await core.jobs.remove(TENANT, job.job_id)
        })

        it('makes no job of a missing upload, and undoes none that a repeat has used', async () => {
          const bytes = new Uint8Array(await (await fetch(bench.imageUrl)).arrayBuffer())
          const key = randomUUID()
          const upload = `late-${key}`
          const answers = await Promise.allSettled(
            Array.from({ length: 20 }, async (_, index) => {
              // It arrives while the requests are being answered.
              if (index === 10) await bench.storage.put(uploadKey(TENANT, upload), bytes, { contentType: 'image/jpeg' })
              return core.jobs.accept(TENANT, request({ upload_id: upload }), { idempotencyKey: key })
            }),
          )
          const accepted = answers.flatMap((one) => (one.status === 'fulfilled' ? [one.value.job.job_id] : []))
          expect(accepted.length).toBeGreaterThan(0)
          for (const jobId of accepted)
            expect(await core.jobs.get(TENANT, jobId)).toMatchObject({ job_id: accepted[0] })
          for (const one of answers) {
            if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'upload_not_found' })
          }
          // The same request still has the same answer when the upload has gone.
          await bench.storage.delete(uploadKey(TENANT, upload))
          const again = await core.jobs.accept(TENANT, request({ upload_id: upload }), { idempotencyKey: key })
          expect(again).toMatchObject({ repeated: true, job: { job_id: accepted[0] } })
          await core.jobs.remove(TENANT, accepted[0] ?? '')
        })

        it('has an upload that was looked at in its place when the job is accepted', async () => {
          const bytes = new Uint8Array(await (await fetch(bench.imageUrl)).arrayBuffer())
          await bench.storage.put(uploadKey(TENANT, 'seen-1'), bytes, { contentType: 'image/png' })
          expect(await core.uploads.arrived(uploadKey(TENANT, 'seen-1'))).toMatchObject({ contentType: 'image/jpeg' })
          const { job } = await core.jobs.accept(TENANT, request({ upload_id: 'seen-1' }))
          expect(job).not.toHaveProperty('stage')
          expect(await bench.storage.head(inputKey(job.job_id))).toMatchObject({ contentType: 'image/jpeg' })
          await core.jobs.remove(TENANT, job.job_id)
          expect(await bench.storage.head(uploadKey(TENANT, 'seen-1'))).toBeNull()
        })

        it('waits for all pictures of a job, hands them out with their places, and removes them all', async () => {
          const bytes = new Uint8Array(await (await fetch(bench.imageUrl)).arrayBuffer())
          const upload = uploadKey(TENANT, 'end-1')
          await bench.storage.put(upload, bytes, { contentType: 'image/jpeg' })
          const others = [
            { image_url: bench.url('/held.jpg'), place: { seconds: 2.5 }, strength: 0.4 },
            { upload_id: 'end-1', place: { at: 'end' as const } },
          ]
          const { job } = await core.jobs.accept(TENANT, { ...request(bench.imageUrl, { model: 'other' }), others })
          expect(job).toMatchObject({ status: 'queued', stage: 'fetching', attempt: 0 })
          expect(job).not.toHaveProperty('picture_url')
          const keys = [0, 1, 2].map((index) => inputKey(job.job_id, index))
          const lies = () => Promise.all(keys.map(async (key) => (await bench.storage.head(key)) !== null))
          await expect.poll(lies, { timeout: 15_000 }).toEqual([true, false, true])
          expect(await core.leases.claim({ model: 'other', worker: 'test', wait: 0.05 })).toBeNull()

          bench.letGo()
          const lease = await claim(core, 'other')
          const places = [
            { at: 'start', strength: 1 },
            { seconds: 2.5, strength: 0.4 },
            { at: 'end', strength: 1 },
          ]
          expect(lease).toMatchObject({ job_id: job.job_id, images: places })
          for (const [index, key] of keys.entries()) {
            expect(lease.images?.[index]?.image_url).toContain(key)
            expect(await bench.storage.head(key)).toMatchObject({ size: bytes.length, contentType: 'image/jpeg' })
          }
          expect(lease.image_url).toBe(lease.images?.[0]?.image_url)
          const running = await core.jobs.get(TENANT, job.job_id)
          expect(running).toMatchObject({ status: 'processing', images: places })
          expect(running.picture_url).toContain(keys[0])

          await core.jobs.remove(TENANT, job.job_id)
          for (const key of [...keys, upload]) expect(await bench.storage.head(key)).toBeNull()
        })

        it('keeps what a model was announced to do last, and holds requests to it', async () => {
          const announce = (abilities: Abilities) =>
            core.leases.claim({ model: 'other', worker: 'test', wait: 0.01, abilities })
          const wanted = { ...request(bench.imageUrl, { model: 'other', duration: 9 }) }
          expect(await core.abilitiesOf('other')).toBeUndefined()
          await announce({ images: true, max_duration: 10 })
          await announce({ images: false, max_duration: 8 })
          await expect(core.jobs.accept(TENANT, wanted)).rejects.toMatchObject({
            code: 'invalid_request',
            message: expect.stringContaining('other makes at most 8 seconds. Ask for another: camera.'),
            issues: [{ path: 'duration' }],
          })
          await core.close()
          core = await bench.core(store.driver, { deliveryDelays: [0, 50, 100] })
          await expect(core.abilitiesOf('other')).resolves.toEqual({ images: false, max_duration: 8 })

          // A repeated request has its job, whatever its model does by now.
          await announce({})
          const key = randomUUID()
          const { job } = await core.jobs.accept(TENANT, wanted, { idempotencyKey: key })
          await announce({ max_duration: 2 })
          const again = await core.jobs.accept(TENANT, wanted, { idempotencyKey: key })
          expect(again).toMatchObject({ repeated: true, job: { job_id: job.job_id } })
          await core.jobs.remove(TENANT, job.job_id)
          await announce({})
        })

        it('ends a job that its worker refuses, at the first attempt', async () => {
          const { job } = await core.jobs.accept(TENANT, request(bench.imageUrl, { duration: 10 }))
          const lease = await claim(core)
          expect(lease.job_id).toBe(job.job_id)
          const refusal = { error: 'The video is too long.', error_code: 'invalid_settings', retryable: false }
          expect(await core.leases.fail(lease.lease_id, refusal)).toMatchObject({ status: 'failed' })
          const failed = { status: 'failed', error_code: 'invalid_settings', attempt: 1 }
          expect(await core.jobs.get(TENANT, job.job_id)).toMatchObject(failed)
        })

        it('says which of several pictures could not be had, and keeps none of them', async () => {
          const others = [{ image_url: bench.url('/missing.jpg'), place: { at: 'end' as const } }]
          const { job } = await core.jobs.accept(TENANT, { ...request(bench.imageUrl, { model: 'other' }), others })
          const failed = await reaches(core, TENANT, job.job_id, 'failed')
          expect(failed).toMatchObject({ error_code: 'image_unreachable', attempt: 0 })
          expect(failed.error_message).toMatch(/^The picture at the end: .*404/)
          expect(failed).not.toHaveProperty('picture_url')
          await core.jobs.remove(TENANT, job.job_id)
        })

        it('knows a repeated request by all of its pictures', async () => {
          const key = randomUUID()
          const end = (strength: number) => ({
            ...request(bench.imageUrl, { model: 'other' }),
            others: [{ image_url: bench.imageUrl, place: { at: 'end' as const }, strength }],
          })
          const { job } = await core.jobs.accept(TENANT, end(1), { idempotencyKey: key })
          const again = await core.jobs.accept(TENANT, end(1), { idempotencyKey: key })
          expect(again).toMatchObject({ repeated: true, job: { job_id: job.job_id } })
          for (const other of [end(0.5), request(bench.imageUrl, { model: 'other' })]) {
            await expect(core.jobs.accept(TENANT, other, { idempotencyKey: key })).rejects.toMatchObject({
              code: 'idempotency_mismatch',
            })
          }
          await core.jobs.remove(TENANT, job.job_id)
        })

        it('keeps nothing of an upload that is no picture', async () => {
          await bench.storage.put(uploadKey(TENANT, 'page'), Buffer.from('<!doctype html>'), {
            contentType: 'image/jpeg',
          })
          await expect(core.uploads.arrived(uploadKey(TENANT, 'page'))).rejects.toMatchObject({ code: 'image_invalid' })
          expect(await bench.storage.head(uploadKey(TENANT, 'page'))).toBeNull()
        })

        it('takes an upload of the tenant, and nobody else’s', async () => {
          const bytes = new Uint8Array(await (await fetch(bench.imageUrl)).arrayBuffer())
          await bench.storage.put(uploadKey(TENANT, 'photo-1'), bytes, { contentType: 'image/jpeg' })
          const { job } = await core.jobs.accept(TENANT, request({ upload_id: 'photo-1' }))
          const lease = await claim(core)
          expect(lease.job_id).toBe(job.job_id)
          expect(await bench.storage.head(inputKey(job.job_id))).toMatchObject({ size: bytes.length })
          await core.leases.fail(lease.lease_id, { error: 'over', retryable: false })
          await expect(core.jobs.accept('stranger', request({ upload_id: 'photo-1' }))).rejects.toMatchObject({
            code: 'upload_not_found',
          })
        })
      })

      it('keeps each model in a queue of its own', async () => {
        const other = await add({ model: 'other' })
        expect(await core.leases.claim({ model: 'camera', worker: 'test', wait: 0.05 })).toBeNull()
        const lease = await claim(core, 'other')
        expect(lease).toMatchObject({ job_id: other.job_id, model: 'other' })
        await core.leases.fail(lease.lease_id, { error: 'over', retryable: false })
        await expect(add({ model: 'unheard-of' })).rejects.toMatchObject({ code: 'unknown_model' })
        await expect(core.leases.claim({ model: 'unheard-of', worker: 'test', wait: 0 })).rejects.toMatchObject({
          code: 'unknown_model',
        })
      })

      it('lets tenants take turns, however many jobs one of them sends', async () => {
        const many = await Promise.all(Array.from({ length: 6 }, () => add({ model: 'other' }, undefined, 'many')))
        const few = [await add({ model: 'other' }, undefined, 'few'), await add({ model: 'other' }, undefined, 'few')]
        const order: string[] = []
        for (let index = 0; index < 8; index++) {
          const lease = await claim(core, 'other')
          order.push(few.some((job) => job.job_id === lease.job_id) ? 'few' : 'many')
          await core.leases.fail(lease.lease_id, { error: 'over', retryable: false })
        }
        expect(many).toHaveLength(6)
        expect(order.lastIndexOf('few')).toBeLessThan(5)
      })

      it('lists a tenant’s jobs, newest first, page by page', async () => {
        const tenant = `lister-${randomUUID()}`
        const ids: string[] = []
        for (let index = 0; index < 7; index++) ids.push((await add({ model: 'other' }, undefined, tenant)).job_id)
        const pages: string[][] = []
        let cursor: string | undefined
        do {
          const page = await core.jobs.list(tenant, { limit: 3, cursor })
          pages.push(page.jobs.map((job) => job.job_id))
          cursor = page.next_cursor ?? undefined
        } while (cursor !== undefined)
        expect(pages.map((page) => page.length)).toEqual([3, 3, 1])
        expect(new Set(pages.flat())).toEqual(new Set(ids))
        const created = (await core.jobs.list(tenant, { limit: 10 })).jobs.map((job) => job.created_at)
        expect(created).toEqual(created.toSorted().toReversed())
        await expect(core.jobs.list(tenant, { limit: 3, cursor: 'nonsense' })).rejects.toMatchObject({
          code: 'invalid_request',
        })
        await Promise.all(ids.map((id) => core.jobs.cancel(tenant, id)))
        expect((await core.jobs.list(tenant, { limit: 10 })).jobs.every((job) => job.status === 'canceled')).toBe(true)
      })

      it('shows nobody another tenant’s job', async () => {
        const job = await add({ model: 'other' })
        for (const attempt of await Promise.allSettled([
          core.jobs.get('stranger', job.job_id),
          core.jobs.cancel('stranger', job.job_id),
          core.jobs.remove('stranger', job.job_id),
          core.events.job('stranger', job.job_id)[Symbol.asyncIterator]().next(),
        ])) {
          expect(attempt).toMatchObject({ status: 'rejected', reason: { code: 'job_not_found' } })
        }
        await core.jobs.remove(TENANT, job.job_id)
      })

      it('lets an outside worker report a result, more than once', async () => {
        const job = await add()
        const report = { job_id: job.job_id, status: 'completed' as const, video_url: 'https://videos.example/a.mp4' }
        await core.jobs.completeFromOutside(report)
        await core.jobs.completeFromOutside(report)
        expect(await core.jobs.get(TENANT, job.job_id)).toMatchObject({
          status: 'completed',
          result_url: report.video_url,
        })

        const held = await add()
        const lease = await claim(core)
        await core.jobs.completeFromOutside({ job_id: held.job_id, status: 'failed', error: 'no memory' })
        expect(await core.jobs.get(TENANT, held.job_id)).toMatchObject({ status: 'failed', error_message: 'no memory' })
        await bench.render(lease)
        expect(await core.leases.complete(lease.lease_id, {})).toMatchObject({ status: 'failed' })
        await expect(core.jobs.completeFromOutside({ job_id: 'job_unknown', status: 'failed' })).rejects.toMatchObject({
          code: 'job_not_found',
        })
      })

      it('streams a job’s snapshots, and ends with the last', async () => {
        const job = await add()
        const seen: Snapshot[] = []
        const reading = (async () => {
          for await (const snapshot of core.events.job(TENANT, job.job_id)) seen.push(snapshot)
        })()
        await expect.poll(() => seen.length).toBeGreaterThan(0)
        const lease = await claim(core)
        await core.leases.heartbeat(lease.lease_id, { progress: 50, stage: 'generating' })
        await expect.poll(() => seen.at(-1)?.job.progress, { timeout: 5000 }).toBe(50)
        await bench.render(lease)
        await core.leases.complete(lease.lease_id, {})
        await reading
        expect(seen[0]?.job.status).toBe('queued')
        expect(seen.at(-1)?.job).toMatchObject({ status: 'completed' })
        expect(new Set(seen.map((one) => one.revision)).size).toBe(seen.length)
        const known: Snapshot[] = []
        for await (const one of core.events.job(TENANT, job.job_id, { lastEventId: seen.at(-1)?.revision }))
          known.push(one)
        expect(known).toEqual([])
      })

      it('streams all of a tenant’s jobs, also what happened while nobody listened', async () => {
        const tenant = `listener-${randomUUID()}`
        const signal = new AbortController()
        const seen: Snapshot[] = []
        const reading = (async () => {
          for await (const one of core.events.all(tenant, { signal: signal.signal })) seen.push(one)
        })()
        const [first, second] = [
          await add({ model: 'other' }, undefined, tenant),
          await add({ model: 'other' }, undefined, tenant),
        ]
        await expect.poll(() => new Set(seen.map((one) => one.job.job_id)).size, { timeout: 5000 }).toBe(2)
        await core.jobs.cancel(tenant, first.job_id)
        await expect.poll(() => seen.at(-1)?.job.status, { timeout: 5000 }).toBe('canceled')
        signal.abort()
        await reading

        await core.jobs.cancel(tenant, second.job_id)
        const back = core.events.all(tenant, { lastEventId: seen.at(-1)?.revision })[Symbol.asyncIterator]()
        const missed = [await back.next(), await back.next()].map((one) => one.value?.job.job_id)
        expect(missed).toContain(second.job_id)
        await back.return?.()
      })

      it('counts, and tells when a worker was last seen', async () => {
        const before = await core.health()
        const job = await add()
        await expect
          .poll(async () => (await core.health()).queue.pending, { timeout: 5000 })
          .toBe(before.queue.pending + 1)
        expect(before).toMatchObject({ api: 'ok', redis: 'ok', backend: store.driver.name })
        expect(before.models?.['camera']?.worker_seen_seconds_ago).toBeLessThan(60)
        await core.jobs.remove(TENANT, job.job_id)
      })
    })

    describe('slow hosts', () => {
      let core: Core
      let hosts: PictureHosts
      beforeAll(async () => {
        hosts = await createPictureHosts()
        core = await bench.core(store.driver, { fetch: hosts.fetch })
      })
      afterAll(async () => {
        await core?.close()
        await hosts?.dispose()
      })
      const accept = async (tenant: string, url: string, fields: Parameters<typeof request>[1] = {}) =>
        (await core.jobs.accept(tenant, request(url, fields))).job
      const quiet = () => expect.poll(() => hosts.open('/drip.jpg'), { timeout: 10_000 }).toBe(0)

      it('of one tenant keep neither another’s job nor a worker waiting', { timeout: 60_000 }, async () => {
        const slow = await Promise.all(
          Array.from({ length: 48 }, (_, index) =>
            accept('greedy', hosts.url(`slow-${index % 12}.example`, '/drip.jpg')),
          ),
        )
        await expect.poll(() => hosts.open('/drip.jpg'), { timeout: 15_000 }).toBeGreaterThan(11)
        for (let round = 0; round < 3; round++) {
          const quick = await accept('modest', hosts.url('quick.example'))
          const lease = await claim(core)
          expect(lease.job_id).toBe(quick.job_id)
          await core.leases.fail(lease.lease_id, { error: 'enough', retryable: false })
        }
        // Those whose pictures do not come were handed to nobody, and none of them has ended.
        const jobs = await Promise.all(slow.map((job) => core.jobs.get('greedy', job.job_id)))
        for (const job of jobs) expect(job).toMatchObject({ status: 'queued', stage: 'fetching', attempt: 0 })
        await expect.poll(async () => (await core.health()).queue.pending, { timeout: 5000 }).toBeGreaterThanOrEqual(48)
        await Promise.all(slow.map((job) => core.jobs.cancel('greedy', job.job_id)))
        await quiet()
      })

      it('are left when the job is canceled, which is told', async () => {
        const job = await accept(TENANT, hosts.url('slow.example', '/drip.jpg'), {
          webhook_url: bench.url('/canceled-early').replace('127.0.0.1', 'hook.example'),
        })
        await expect.poll(() => hosts.open('/drip.jpg'), { timeout: 10_000 }).toBe(1)
        expect(await core.jobs.cancel(TENANT, job.job_id)).toMatchObject({ status: 'canceled', attempt: 0 })
        await quiet()
        await expect
          .poll(() => bench.received.filter((one) => one.path === '/canceled-early').length, { timeout: 10_000 })
          .toBe(1)
        expect(await core.leases.claim({ model: 'camera', worker: 'test', wait: 0.2 })).toBeNull()
        expect(await core.jobs.get(TENANT, job.job_id)).toMatchObject({ status: 'canceled' })
      })

      it('are left when the job is deleted, and nothing stays of it', async () => {
        const job = await accept(TENANT, hosts.url('slow.example', '/drip.jpg'))
        await expect.poll(() => hosts.open('/drip.jpg'), { timeout: 10_000 }).toBe(1)
        await core.jobs.remove(TENANT, job.job_id)
        await quiet()
        await expect(core.jobs.get(TENANT, job.job_id)).rejects.toMatchObject({ code: 'job_not_found' })
        expect(await bench.storage.head(inputKey(job.job_id))).toBeNull()
      })
    })

    describe('dead leases', () => {
      let core: Core
      beforeAll(async () => {
        core = await bench.core(store.driver, { leaseSeconds: 2 })
      })
      afterAll(() => core?.close())

      it('gives the job of a dead worker to the next, and refuses the dead one', async () => {
        const { job } = await core.jobs.accept(TENANT, request(bench.imageUrl))
        const dead = await claim(core)
        await core.leases.heartbeat(dead.lease_id, { progress: 1, stage: 'generating' })
        await bench.render(dead)
        const next = await claim(core)
        expect(next).toMatchObject({ job_id: job.job_id, attempt: 2 })
        await expect(core.leases.complete(dead.lease_id, {})).rejects.toMatchObject({ code: 'lease_lost' })
        await expect(core.leases.heartbeat(dead.lease_id, { progress: 9, stage: 'generating' })).rejects.toMatchObject({
          code: 'lease_lost',
        })
        expect(await bench.storage.head(outputKeys(job.job_id).video)).toBeNull()
        await bench.render(next)
        expect(await core.leases.complete(next.lease_id, {})).toMatchObject({ status: 'completed' })
      })

      it('ends a job that kills three workers, also when no fourth comes', async () => {
        const { job } = await core.jobs.accept(TENANT, request(bench.imageUrl, { webhook_url: bench.url('/killer') }))
        for (const attempt of [1, 2, 3]) {
          const lease = await claim(core)
          expect(lease).toMatchObject({ job_id: job.job_id, attempt })
          await core.leases.heartbeat(lease.lease_id, { progress: 1, stage: 'generating' })
        }
        expect(await reaches(core, TENANT, job.job_id, 'failed')).toMatchObject({
          error_code: 'worker_lost',
          attempt: 3,
        })
        await expect
          .poll(() => bench.received.filter((one) => one.path === '/killer').length, { timeout: 10_000 })
          .toBe(1)
      })

      it('keeps a lease that sends heartbeats', async () => {
        const { job } = await core.jobs.accept(TENANT, request(bench.imageUrl))
        const lease = await claim(core)
        for (let beat = 0; beat < 8; beat++) {
          await new Promise((resolve) => setTimeout(resolve, 300))
          await core.leases.heartbeat(lease.lease_id, { progress: beat, stage: 'generating' })
        }
        await bench.render(lease)
        expect(await core.leases.complete(lease.lease_id, {})).toMatchObject({
          job_id: job.job_id,
          status: 'completed',
        })
      })
    })

    describeEndings(() => ({ bench, driver: store.driver }))

    describe('retention and restart', () => {
      it('still answers for jobs that the queue has dropped', async () => {
        const core = await bench.core(store.driver, { retention: { completed: 1, failed: 1 } })
        const tenant = `kept-${randomUUID()}`
        const { job } = await core.jobs.accept(tenant, request(bench.imageUrl), { idempotencyKey: 'kept' })
        const lease = await claim(core)
        await bench.render(lease)
        await core.leases.complete(lease.lease_id, {})
        const before = await core.jobs.get(tenant, job.job_id)
        // BullMQ drops what is too old when another job ends.
        await new Promise((resolve) => setTimeout(resolve, 1100))
        await core.jobs.accept(tenant, request(bench.imageUrl))
        await core.leases.fail((await claim(core)).lease_id, { error: 'over', retryable: false })
        await core.jobs.accept(tenant, request(bench.imageUrl))
        const next = await claim(core)
        await bench.render(next)
        await core.leases.complete(next.lease_id, {})
        await expect.poll(async () => (await core.health()).queue.completed, { timeout: 5000 }).toBe(1)
        const { result_url: _, picture_url: __, ...state } = before
        expect(await core.jobs.get(tenant, job.job_id)).toMatchObject(state)
        expect((await core.jobs.list(tenant, { limit: 10 })).jobs).toHaveLength(3)
        expect((await core.jobs.cancel(tenant, job.job_id)).status).toBe('completed')
        expect((await core.jobs.accept(tenant, request(bench.imageUrl), { idempotencyKey: 'kept' })).job.job_id).toBe(
          job.job_id,
        )
        await core.jobs.remove(tenant, job.job_id)
        await expect(core.jobs.get(tenant, job.job_id)).rejects.toMatchObject({ code: 'job_not_found' })
        await core.close()
      })

      it('takes up a record that a crash left without a job', { timeout: 90_000 }, async () => {
        const opened = await store.driver.open({ logger, retention: { completed: 60, failed: 60 } })
        const record = {
          job_id: `job_${randomUUID()}`,
          tenant: TENANT,
          model: 'camera',
          created_at: Date.now() - 60_000,
          settings: { duration: 5, seed: 7 },
          pictures: [{ from: { url: bench.imageUrl } }],
        }
        await opened.history.register(record)
        await opened.close()
        const core = await bench.core(store.driver)
        expect(await core.jobs.get(TENANT, record.job_id)).toMatchObject({ status: 'queued', attempt: 0 })
        expect(await claim(core)).toMatchObject({ job_id: record.job_id, attempt: 1 })
        await core.jobs.remove(TENANT, record.job_id)
        await core.close()
      })

      it('closes at once although workers wait, and goes on where it was', async () => {
        const core = await bench.core(store.driver)
        const waiting = core.leases.claim({ model: 'other', worker: 'test', wait: 25 })
        const refused = expect(waiting).rejects.toMatchObject({ code: 'shutting_down' })
        const { job } = await core.jobs.accept(TENANT, request(bench.imageUrl))
        const lease = await claim(core)
        const stream = core.events.job(TENANT, job.job_id)[Symbol.asyncIterator]()
        await stream.next()
        const began = Date.now()
        await core.close()
        expect(Date.now() - began).toBeLessThan(4000)
        await refused
        expect((await stream.next()).done).toBe(true)

        const next = await bench.core(store.driver)
        expect(await next.jobs.get(TENANT, job.job_id)).toMatchObject({ status: 'processing' })
        await bench.render(lease)
        expect(await next.leases.complete(lease.lease_id, {})).toMatchObject({ status: 'completed' })
        await next.close()
      })
    })

    describeLimits(name !== 'embedded', () => ({ bench, driver: store.driver }))

    // One process owns an embedded store, and there is no server of its own that could go away.
    if (name === 'embedded') return

    describe('two servers', () => {
      it('share the queue: what one takes in, the other hands out, and both tell of it', async () => {
        const [here, there] = await Promise.all([bench.core(store.driver), bench.core(store.driver)])
        try {
          const waiting = claim(there, 'other')
          const { job } = await here.jobs.accept(TENANT, request(bench.imageUrl, { model: 'other' }))
          const lease = await waiting
          expect(lease.job_id).toBe(job.job_id)
          expect(await here.leases.heartbeat(lease.lease_id, { progress: 20, stage: 'generating' })).toMatchObject({
            cancel: false,
          })
          expect(await there.jobs.get(TENANT, job.job_id)).toMatchObject({ status: 'processing', progress: 20 })

          const seen: Snapshot[] = []
          const reading = (async () => {
            for await (const one of there.events.job(TENANT, job.job_id)) seen.push(one)
          })()
          await expect.poll(() => seen.length, { timeout: 5000 }).toBe(1)
          await here.jobs.cancel(TENANT, job.job_id)
          await reading
          expect(seen.at(-1)?.job.status).toBe('canceled')
          expect(await there.leases.heartbeat(lease.lease_id, { progress: 30, stage: 'generating' })).toMatchObject({
            cancel: true,
          })
        } finally {
          await Promise.all([here.close(), there.close()])
        }
      })

      it('make one job of the same request to both', async () => {
        const [here, there] = await Promise.all([bench.core(store.driver), bench.core(store.driver)])
        try {
          const path = `/both-${randomUUID()}`
          const answers = await Promise.all(
            [here, there, here, there].map((core) =>
              core.jobs.accept(TENANT, request(bench.imageUrl, { model: 'other', webhook_url: bench.url(path) }), {
                idempotencyKey: path,
              }),
            ),
          )
          expect(new Set(answers.map(({ job }) => job.job_id)).size).toBe(1)
          expect(answers.filter(({ repeated }) => !repeated)).toHaveLength(1)
          const lease = await claim(there, 'other')
          await bench.render(lease)
          await here.leases.complete(lease.lease_id, {})
          await expect.poll(() => bench.received.filter((one) => one.path === path).length, { timeout: 10_000 }).toBe(1)
          expect(await there.leases.claim({ model: 'other', worker: 'test', wait: 0.3 })).toBeNull()
        } finally {
          await Promise.all([here.close(), there.close()])
        }
      })
    })

    describe('outage', () => {
      it('refuses with 503 while the store is away, says so, and recovers by itself', async () => {
        const { outage } = store
        if (!outage) throw new Error(`The suite of ${name} does not say how to end its server.`)
        const core = await bench.core(store.driver)
        try {
          const { job } = await core.jobs.accept(TENANT, request(bench.imageUrl))
          const waiting = core.leases.claim({ model: 'other', worker: 'test', wait: 25 })
          const refused = expect(waiting).rejects.toMatchObject({ code: 'queue_unavailable' })
          await outage.kill()
          const began = Date.now()
          await expect(core.jobs.accept(TENANT, request(bench.imageUrl))).rejects.toMatchObject({
            code: 'queue_unavailable',
            status: 503,
            retryAfter: expect.any(Number),
          })
          await expect(core.jobs.get(TENANT, job.job_id)).rejects.toMatchObject({ code: 'queue_unavailable' })
          await expect(core.jobs.cancel(TENANT, job.job_id)).rejects.toMatchObject({ code: 'queue_unavailable' })
          await expect(core.leases.claim({ model: 'camera', worker: 'test', wait: 20 })).rejects.toMatchObject({
            code: 'queue_unavailable',
          })
          expect(Date.now() - began).toBeLessThan(15_000)
          expect((await core.health()).redis).toBe('error')
          await refused

          await outage.start()
          await expect.poll(async () => (await core.health()).redis, { timeout: 15_000 }).toBe('ok')
          expect(await core.jobs.get(TENANT, job.job_id)).toMatchObject({ status: 'queued' })
          const lease = await claim(core, 'camera', 20)
          expect(lease.job_id).toBe(job.job_id)
          await bench.render(lease)
          expect(await core.leases.complete(lease.lease_id, {})).toMatchObject({ status: 'completed' })
        } finally {
          await core.close()
        }
      })
    })
  })
}
