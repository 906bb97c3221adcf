/** The way of a job with the real engine: lease, child, a small checkpoint with random weights, mp4; and what happens when something goes wrong on it. */

import { mkdtemp, rm } from 'node:fs/promises'
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
  await expect(running).rejects.toThrow(/model_index\.json does not exist/)
})
