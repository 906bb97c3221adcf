/** Pictures of other frames, all the way: a form over HTTP, storage, lease, the worker's child with a small LTX-Video checkpoint, and the video. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Job, paths } from '@kinora/protocol'
import { serveKinora, type ServedKinora } from '@kinora/server'
import { embedded } from '@kinora/server/embedded'
import { createWorker, type Worker } from '@kinora/worker'
import { pino } from 'pino'
import sharp from 'sharp'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'

const CHECKPOINT = fileURLToPath(new URL('../packages/worker/test/fixtures/ltx/v095/checkpoint', import.meta.url))
const API_KEY = 'key-of-the-pictures-test'
const WORKER_TOKEN = 'token-of-the-pictures-test'

let folder: string
let server: ServedKinora
let worker: Worker
let running: Promise<unknown>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kinora-pictures-'))
  server = await serveKinora({
    store: embedded({ dataDir: folder }),
    dataDir: folder,
    port: 0,
    host: '127.0.0.1',
    apiKey: API_KEY,
    workerToken: WORKER_TOKEN,
    webhookSecret: 'secret-of-the-pictures-test',
    models: ['ltx-video', 'camera'],
    logger: pino({ level: 'silent' }),
  })
  worker = createWorker({
    apiUrl: server.url,
    workerToken: WORKER_TOKEN,
    engine: 'ltx',
    model: 'ltx-video',
    engineOptions: { modelPath: CHECKPOINT, provider: 'cpu' },
    scratchParent: folder,
    backoff: { first: 50, most: 200 },
  })
  running = worker.run()
  running.catch(() => undefined)
})
afterAll(async () => {
  worker?.stop()
  await running?.catch(() => undefined)
  await server?.close()
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
})

const picture = (background: string) =>
  sharp({ create: { width: 160, height: 90, channels: 3, background } })
    .png()
    .toBuffer()

const call = (path: string, init: RequestInit = {}) =>
  fetch(server.url + path, { ...init, headers: { authorization: `Bearer ${API_KEY}` } })

/** A job of two steps, 64x64 and 9 frames, to its end. */
async function make(pictures: { image: string; end_image?: string }): Promise<Job> {
  const form = new FormData()
  const fields = { model: 'ltx-video', prompt: 'waves', width: 64, height: 64, fps: 8, duration: 1, steps: 2, seed: 3 }
  for (const [name, value] of Object.entries(fields)) form.set(name, String(value))
  for (const [name, colour] of Object.entries(pictures)) {
    form.set(name, new File([await picture(colour)], `${name}.png`, { type: 'image/png' }))
  }
  const answer = await call(paths.generate(), { method: 'POST', body: form })
  const { job_id } = Job.parse(await answer.json())
  return vi.waitFor(
    async () => {
      const job = Job.parse(await (await call(paths.job(job_id))).json())
      expect(job.error_message).toBeUndefined()
      expect(job.status).toBe('completed')
      return job
    },
    { timeout: 90_000, interval: 100 },
  )
}

const video = async ({ result_url = '' }: Job) => Buffer.from(await (await fetch(result_url)).arrayBuffer())

it('a job with first and last picture is made of both', { timeout: 200_000 }, async () => {
  const both = await make({ image: '#4080c0', end_image: '#c04020' })
  expect(both).toMatchObject({ num_frames: 9, attempt: 1, images: [{ at: 'start' }, { at: 'end', strength: 1 }] })
  const last = await fetch(both.images?.[1]?.image_url ?? '')
  expect(Buffer.from(await last.arrayBuffer()).equals(await picture('#c04020'))).toBe(true)

  const alone = await make({ image: '#4080c0' })
  expect(alone.picture_url).toContain(alone.job_id)
  expect(alone).not.toHaveProperty('images')
  expect((await video(both)).subarray(4, 8).toString()).toBe('ftyp')
  expect((await video(both)).equals(await video(alone))).toBe(false)
})
