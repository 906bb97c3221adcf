/** The way of a job with the real engine: lease, child, a small checkpoint with random weights, mp4; and what happens when something goes wrong on it. */

import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createWorker, type StopReason, type Worker, type WorkerEvent } from '@kinora/worker'
import { startLeaseServer, type LeaseServer } from './lease-server.ts'

const checkpoint = (name: string) => fileURLToPath(new URL(`./fixtures/ltx/${name}/checkpoint`, import.meta.url))
const patient = { timeout: 60_000, interval: 20 }

let server: LeaseServer
let scratch: string
let picture: Buffer
let worker: Worker | undefined
let running: Promise<StopReason> | undefined
let events: WorkerEvent[]

beforeAll(async () => {
  picture = await sharp({ create: { width: 160, height: 90, channels: 3, background: '#4080c0' } })
    .png()
    .toBuffer()
})
beforeEach(async () => {
  server = await startLeaseServer()
  scratch = await mkdtemp(join(tmpdir(), 'kinora-ltx-job-'))
  events = []
})
afterEach(async () => {
  worker?.stop()
  await running?.catch(() => undefined)
  worker = running = undefined
  await server.close()
  await rm(scratch, { recursive: true, force: true })
})

function start(modelPath: string, options: Record<string, unknown> = {}): void {
  worker = createWorker({
    apiUrl: server.url,
    workerToken: server.token,
    engine: 'ltx',
    model: 'ltx-video',
    engineOptions: { modelPath, provider: 'cpu', ...options },
    scratchParent: scratch,
    backoff: { first: 50, most: 200 },
    onEvent: (event) => events.push(event),
  })
  running = worker.run()
  running.catch(() => undefined)
}

const common = { prompt: 'waves at sunset', fps: 8, seed: 3 }
const add = (job_id: string, steps: number) =>
  server.add({ job_id, picture, settings: { ...common, width: 64, height: 64, steps } })
/** A job that takes long enough to be met on its way. */
const addLong = (job_id: string) =>
  server.add({ job_id, picture, settings: { ...common, width: 512, height: 512, duration: 4, steps: 100 } })
const lease = (job_id: string) => server.leases.findLast((record) => record.job_id === job_id)
const ended = (job_id: string) =>
  vi.waitFor(() => {
    const end = lease(job_id)?.end
    if (end === undefined) throw new Error(`${job_id} has not ended`)
    return end
  }, patient)
const underWay = (job_id: string) =>
  vi.waitFor(() => expect(lease(job_id)?.heartbeats.some((beat) => beat.progress > 5)).toBe(true), patient)
const pid = () => events.flatMap((event) => (event.type === 'ready' ? [event.pid] : [])).at(-1)

describe.each(['v090', 'v091', 'v095'])('%s', (name) => {
  test('a picture and a prompt become a video; what the checkpoint prefers fills the holes', async () => {
    start(checkpoint(name))
    add('job-1', 3)
    const end = await ended('job-1')
    expect(end).toMatchObject({
      kind: 'complete',
      body: { settings: { steps: 3, guidance_scale: 3, num_frames: 9, width: 64, height: 64 } },
    })
    const { uploads } = lease('job-1') ?? {}
    expect(uploads?.get('video')?.bytes.subarray(4, 8).toString()).toBe('ftyp')
    expect(await sharp(uploads?.get('poster')?.bytes).metadata()).toMatchObject({ width: 64, height: 64 })
    const told = events.flatMap((event) => (event.type === 'progress' ? [event.progress] : []))
    expect(told).toEqual(told.toSorted((a, b) => a - b))
  })
})

const last = () =>
  sharp({ create: { width: 90, height: 90, channels: 3, background: '#c04020' } })
    .jpeg()
    .toBuffer()
const video = (job_id: string) => lease(job_id)?.uploads.get('video')?.bytes

test('first and last picture: the last one has a part in the video, by its strength', async () => {
  start(checkpoint('v095'))
  const settings = { ...common, width: 64, height: 64, steps: 2 }
  const ends = async (job_id: string, strength: number) => {
    const images = [
      { bytes: picture, at: 'start' as const },
      { bytes: await last(), at: 'end' as const, strength },
    ]
    server.add({ job_id, picture, images, settings })
    expect(await ended(job_id)).toMatchObject({
      kind: 'complete',
      // A checkpoint of three blocks does not have those that the recipe weakens.
      body: {
        settings: { num_frames: 9, image_crf: 29, image_strength: 1 },
        notices: [expect.stringMatching(/guides by blocks 19/)],
      },
    })
    return video(job_id)
  }
  server.add({ job_id: 'first-only', picture, settings })
  await ended('first-only')
  const [held, loose] = [await ends('held', 1), await ends('loose', 0.3)]
  expect(held?.length).toBeGreaterThan(0)
  expect(held?.equals(video('first-only')!)).toBe(false)
  expect(held?.equals(loose!)).toBe(false)
  expect(server.claims[0]?.abilities).toMatchObject({ images: true, audio: false, size_step: 32 })
})

test.each([
  ['v095', [{ frame: 9 }], /Picture 2 of 2 is to stand at frame 9, but the video has the frames 0 to 8/],
  ['v095', [{ seconds: 7 }], /frame 56/],
  ['v095', [{ frame: 8 }, { at: 'end' as const }], /Picture 3 of 3 stands at frame 8, where picture 2 is/],
  ['v095', [{ seconds: 0.01 }], /stands at frame 0, where picture 1 is/],
  ['v090', [{ at: 'end' as const }], /takes the first picture only, not 2/],
])('%s: pictures at %j are refused for good, before any work', async (name, places, words) => {
  start(checkpoint(name))
  const images = [{ at: 'start' as const }, ...places].map((place) => ({ bytes: picture, ...place }))
  server.add({ job_id: 'refused', picture, images, settings: { ...common, width: 64, height: 64, steps: 2 } })
  expect(await ended('refused')).toMatchObject({
    kind: 'fail',
    body: { error_code: 'invalid_settings', retryable: false, error: expect.stringMatching(words) },
  })
  expect(lease('refused')?.heartbeats.every((beat) => beat.stage === 'fetching')).toBe(true)
})

describe('a distilled file', () => {
  const startDistilled = async () => {
    const file = join(scratch, 'ltxv-2b-0.9.8-distilled.safetensors')
    await cp(fileURLToPath(new URL('./fixtures/ltx/v095-single-file/ltxv-2b-tiny.safetensors', import.meta.url)), file)
    const parts = checkpoint('v095')
    start(file, { textEncoder: join(parts, 'text_encoder'), tokenizer: join(parts, 'tokenizer') })
  }

  test('asked for 20 steps and a negative prompt, it says what it did and what it left aside', async () => {
    await startDistilled()
    const settings = { ...common, width: 64, height: 64 }
    server.add({ job_id: 'asked', picture, settings: { ...settings, steps: 20, negative_prompt: 'rain' } })
    server.add({ job_id: 'plain', picture, settings })
    const end = await ended('asked')
    expect(end).toMatchObject({ kind: 'complete', body: { settings: { steps: 7 } } })
    const { settings: used, notices } = end.body as { settings: object; notices: string[] }
    expect(used).not.toHaveProperty('negative_prompt')
    expect(used).not.toHaveProperty('guidance_scale')
    const upscaler = 'No latent upscaler was found beside the checkpoint: one pass at full size instead of two.'
    expect(notices).toEqual([
      'This checkpoint works without guidance; negative_prompt was left aside.',
      'This checkpoint has 7 fixed steps; steps: 20 was left aside.',
      upscaler,
    ])
    const told = lease('asked')?.heartbeats.find((beat) => beat.settings !== undefined)
    expect(told).toMatchObject({ settings: { steps: 7 }, notices })
    expect(await ended('plain')).toMatchObject({ body: { settings: { steps: 7 }, notices: [upscaler] } })
    expect(video('asked')!.equals(video('plain')!)).toBe(true)
  })
})

test('a cancel ends the job between two steps, and the next job runs in the same child', async () => {
  start(checkpoint('v090'))
  addLong('long')
  await underWay('long')
  const record = lease('long')
  if (record) record.cancel = true
  expect(await ended('long')).toMatchObject({ kind: 'fail', body: { error_code: 'canceled' } })
  const before = pid()
  add('next', 2)
  expect(await ended('next')).toMatchObject({ kind: 'complete' })
  expect(pid()).toBe(before)
})

test('a child that dies in the middle costs the attempt; another child makes the video', async () => {
  start(checkpoint('v090'))
  addLong('dies')
  await underWay('dies')
  const first = pid()
  if (first !== undefined) process.kill(first, 'SIGKILL')
  expect(await ended('dies')).toMatchObject({ kind: 'fail', body: { retryable: true } })
  add('again', 2)
  expect(await ended('again')).toMatchObject({ kind: 'complete' })
  expect(pid()).not.toBe(first)
})

test('a checkpoint that is none ends the worker with the reason, before any job', async () => {
  start(join(checkpoint('v090'), 'vae'))
  await expect(running).rejects.toThrow(/no folder in diffusers' layout \(it has no model_index\.json\)/)
})
