import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { withBackend } from 'bullmq'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createPictureHosts, type PictureHosts } from '../../test/services/picture-hosts.ts'
import { driverOf } from '../../test/services/open-store.ts'
import type { Service } from '../../test/services/service.ts'
import { STORES } from '../../test/services/stores.ts'
import type { InputLimits } from '../core.ts'
import { inspectImage } from '../images/index.ts'
import { inputKey } from '../jobs/keys.ts'
import { createDiskStorage, type Storage, StorageError } from '../storage/index.ts'
import type { Store } from '../stores/store.ts'
import { createInputs, type InputError, type Inputs, type PicturedJob } from './index.ts'

const logger = pino({ level: process.env['LOG_LEVEL'] ?? 'silent' })
const MODELS = ['camera', 'other'] as const

/** What became of jobs: who is waiting, in the line of workers, refused. The port's other side, in memory. */
function createJobBook() {
  const waiting = new Map<string, PicturedJob>()
  const gone = new Set<string>()
  const line: string[] = []
  const refused = new Map<string, InputError>()
  return {
    waiting,
    line,
    refused,
    remove(jobId: string) {
      waiting.delete(jobId)
      gone.add(jobId)
    },
    port: {
      waiting: async (jobId: string) => waiting.get(jobId) ?? null,
      isKept: async (jobId: string) => !gone.has(jobId),
      line: async ({ job_id: jobId }: PicturedJob) => {
        if (!line.includes(jobId)) line.push(jobId)
      },
      refuse: async (jobId: string, error: InputError) => {
        waiting.delete(jobId)
        refused.set(jobId, error)
      },
    },
  }
}

describe.each(STORES)('pictures on $kind', ({ kind, missing, start }) => {
  describe.skipIf(missing !== false)(missing || 'are brought in', () => {
    let folder: string
    let service: Service | undefined
    let store: Store
    let hosts: PictureHosts
    let storage: Storage
    let book: ReturnType<typeof createJobBook>
    let inputs: Inputs | undefined
    let numbers = 0

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'kinora-inputs-'))
      service = await start?.()
      store = await driverOf(kind, service?.url ?? folder).open({
        logger,
        retention: { completed: 60, failed: 60 },
      })
      hosts = await createPictureHosts()
      storage = createDiskStorage({ folder: join(folder, 'objects'), publicUrl: 'http://localhost:1' })
    })
    afterAll(async () => {
      await hosts?.dispose()
      await store?.close()
      await service?.dispose()
      await rm(folder, { recursive: true, force: true })
    })
    beforeEach(() => void (book = createJobBook()))
    afterEach(async () => {
      await inputs?.close()
      inputs = undefined
    })

    const open = async (limits: InputLimits = {}, over: Partial<Storage> = {}): Promise<Inputs> =>
      (inputs = await createInputs({
        bullmq: withBackend(store.backend),
        connection: { store: store.name },
        models: MODELS,
        fetch: hosts.fetch,
        inspect: (bytes) => inspectImage(bytes),
        storage: { ...storage, ...over },
        jobs: book.port,
        logger,
        limits,
      }))

    async function send(tenant: string, ...urls: string[]): Promise<PicturedJob> {
      const job: PicturedJob = {
        job_id: `job_${numbers++}`,
        tenant,
        model: 'camera',
        created_at: Date.now(),
        pictures: urls.map((url) => ({ from: { url } })),
      }
      book.waiting.set(job.job_id, job)
      await inputs?.begin(job, numbers)
      return job
    }
    const inLine = (job: PicturedJob) => expect.poll(() => book.line, { timeout: 15_000 }).toContain(job.job_id)
    const refusal = async (job: PicturedJob) => {
      await expect.poll(() => book.refused.has(job.job_id), { timeout: 15_000 }).toBe(true)
      return book.refused.get(job.job_id)
    }

    it('puts a job into the line when all of its pictures lie in the storage, checked', async () => {
      await open()
      const job = await send('a', hosts.url('one.example'), hosts.url('two.example'))
      await inLine(job)
      for (const index of [0, 1]) {
        expect(await storage.head(inputKey(job.job_id, index))).toMatchObject({ contentType: 'image/jpeg' })
      }
      await expect.poll(() => inputs?.has(job)).toBe(false)
      expect(await inputs?.count('camera')).toBe(0)
    })

    it('lets no tenant wait for another’s hosts, however slow they are', { timeout: 30_000 }, async () => {
      await open()
      const greedy = await Promise.all(
        Array.from({ length: 200 }, (_, index) => send('greedy', hosts.url(`slow-${index % 12}.example`, '/drip.jpg'))),
      )
      await expect.poll(() => hosts.open('/drip.jpg'), { timeout: 15_000 }).toBeGreaterThan(11)
      for (let index = 0; index < 5; index++) await inLine(await send('modest', hosts.url('quick.example')))
      // None of the slow ones has come to an end, and none of them ever will in this test.
      expect(book.line).toHaveLength(5)
      expect(hosts.open('/drip.jpg')).toBeLessThanOrEqual(24)
      expect(book.refused.size).toBe(0)
      for (const job of greedy) {
        book.remove(job.job_id)
        await inputs?.drop(job)
      }
    })

    it('asks one host for two pictures of a tenant at a time', async () => {
      await open()
      const slow = await Promise.all(Array.from({ length: 6 }, () => send('a', hosts.url('slow.example', '/drip.jpg'))))
      await expect.poll(() => hosts.open('/drip.jpg')).toBe(2)
      await inLine(await send('a', hosts.url('quick.example')))
      expect(hosts.open('/drip.jpg')).toBe(2)
      for (const job of slow) {
        book.remove(job.job_id)
        await inputs?.drop(job)
      }
      await expect.poll(() => hosts.open('/drip.jpg')).toBe(0)
    })

    it.each([
      ['/missing.jpg', 'image_unreachable'],
      ['/page.html', 'image_invalid'],
    ])('ends a job at once whose picture %s will never be had', async (path, code) => {
      await open()
      const before = hosts.asked(path)
      const job = await send('a', hosts.url('one.example'), hosts.url('two.example', path))
      expect(await refusal(job)).toMatchObject({ code })
      expect(hosts.asked(path)).toBe(before + 1)
      expect(book.line).not.toContain(job.job_id)
    })

    it('does not wait for the other pictures of a job when one will never be had', async () => {
      await open()
      const job = await send('a', hosts.url('slow.example', '/drip.jpg'), hosts.url('two.example', '/missing.jpg'))
      expect(await refusal(job)).toMatchObject({ code: 'image_unreachable' })
      await expect.poll(() => hosts.open('/drip.jpg')).toBe(0)
    })

    it('tries five times where a picture may come later, and then says so', async () => {
      await open({ delays: [10, 20, 30, 40.5] })
      const before = hosts.asked('/busy.jpg')
      const job = await send('a', hosts.url('busy.example', '/busy.jpg'))
      expect(await refusal(job)).toMatchObject({
        code: 'image_unreachable',
        message: expect.stringMatching(/503.*5 times/),
      })
      expect(hosts.asked('/busy.jpg')).toBe(before + 5)
    })

    it('gives up a picture that takes too long', async () => {
      await open({ delays: [], timeout: 200 })
      const job = await send('a', hosts.url('slow.example', '/drip.jpg'))
      expect(await refusal(job)).toMatchObject({ code: 'image_unreachable', message: expect.stringContaining('0.2 s') })
    })

    it('ends the fetch of a job that is dropped here, and leaves nothing of it', async () => {
      await open()
      const job = await send('a', hosts.url('one.example'), hosts.url('slow.example', '/drip.jpg'))
      await expect.poll(() => storage.head(inputKey(job.job_id)), { timeout: 10_000 }).not.toBeNull()
      book.remove(job.job_id)
      await inputs?.drop(job)
      await expect.poll(() => hosts.open('/drip.jpg')).toBe(0)
      await expect.poll(() => storage.head(inputKey(job.job_id))).toBeNull()
      expect(book.line).toEqual([])
    })

    it('ends the fetch of a job that was canceled through another process', async () => {
      await open()
      const job = await send('a', hosts.url('slow.example', '/drip.jpg'))
      await expect.poll(() => hosts.open('/drip.jpg'), { timeout: 10_000 }).toBe(1)
      book.remove(job.job_id)
      await expect.poll(() => hosts.open('/drip.jpg'), { timeout: 10_000 }).toBe(0)
      await expect.poll(() => inputs?.has(job)).toBe(false)
    })

    it('sweeps a picture that was written after its job was deleted', async () => {
      const put: Storage['put'] = async (key, bytes, options) => {
        for (const jobId of book.waiting.keys()) book.remove(jobId)
        return storage.put(key, bytes, options)
      }
      await open({}, { put })
      const job = await send('a', hosts.url('one.example'))
      await expect.poll(() => inputs?.has(job), { timeout: 10_000 }).toBe(false)
      expect(await storage.head(inputKey(job.job_id))).toBeNull()
      expect(book.line).toEqual([])
    })

    it('does not count it as a try while our own storage is away', async () => {
      let away = true
      const put: Storage['put'] = (key, bytes, options) => {
        if (!away) return storage.put(key, bytes, options)
        away = false
        throw new StorageError('unavailable', 'The disk is full.')
      }
      await open({ delays: [], whenAway: 50 }, { put })
      const job = await send('a', hosts.url('one.example'))
      await inLine(job)
      expect(book.refused.size).toBe(0)
    })

    it('goes on with what another process, or this one before, had not finished', async () => {
      await open()
      const job = await send('a', hosts.url('slow.example', '/drip.jpg'))
      await expect.poll(() => hosts.open('/drip.jpg'), { timeout: 10_000 }).toBe(1)
      await inputs?.close()
      await expect.poll(() => hosts.open('/drip.jpg')).toBe(0)
      book.waiting.set(job.job_id, { ...job, pictures: [{ from: { url: hosts.url('one.example') } }] })
      await open()
      await inLine(job)
    })
  })
})
