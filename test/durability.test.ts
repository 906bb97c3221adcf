/**
 * The proof of durability: 60 jobs with webhooks while the API and the worker are killed with SIGKILL again and again. Every job that was
 * accepted is completed, every webhook is received, every video is whole.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Job } from '@kinora/protocol'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { freePort } from '../packages/server/test/services/free-port.ts'
import { redisMissing, startRedis } from '../packages/server/test/services/redis.ts'
import { type RunningProcess, startKinora } from './harness/processes.ts'
import { countFrames } from './harness/video.ts'
import { startWebhookReceiver } from './harness/webhook-receiver.ts'

const JOBS = 60
/** After how many finished jobs somebody is killed, and who. */
const KILLS = [
  { after: 4, victim: 'worker' },
  { after: 10, victim: 'api' },
  { after: 18, victim: 'worker' },
  { after: 26, victim: 'api' },
  { after: 34, victim: 'both' },
  { after: 44, victim: 'api' },
  { after: 52, victim: 'worker' },
] as const

const PHOTO = fileURLToPath(new URL('../examples/assets/chelsea.jpg', import.meta.url))

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

describe.each(['embedded', 'redis'] as const)('%s', (store) => {
  it(`completes ${JOBS} jobs while API and worker are killed`, { timeout: 400_000 }, async ({ skip }) => {
    const folder = await mkdtemp(join(tmpdir(), 'kinora-durability-'))
    cleanups.push(() => rm(folder, { recursive: true, force: true }))
    if (store === 'redis' && redisMissing) return skip(redisMissing)
    const redis = store === 'redis' ? await startRedis() : null
    if (redis) cleanups.push(() => redis.dispose())

    const webhookSecret = 'durability-webhook-secret-0123456789'
    const receiver = await startWebhookReceiver(webhookSecret)
    cleanups.push(() => receiver.close())

    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const environment = {
      NODE_ENV: 'production',
      PORT: String(port),
      HOST: '127.0.0.1',
      PUBLIC_URL: url,
      API_KEY: 'durability-api-key-0123456789',
      WEBHOOK_SECRET: webhookSecret,
      WORKER_TOKEN: 'durability-worker-token-0123456789',
      DATA_DIR: folder,
      ...(redis ? { REDIS_URL: redis.url } : {}),
      MODELS: 'camera',
      DEFAULT_MODEL: 'camera',
      ALLOW_PRIVATE_NETWORK: 'true',
      LEASE_SECONDS: '5',
      API_URL: url,
      ENGINE: 'camera',
      MAX_IDLE_SECONDS: '0',
      LOG_LEVEL: 'warn',
    }
    const running: { api: RunningProcess; worker: RunningProcess } = {
      api: startKinora(['serve'], { environment }),
      worker: startKinora(['worker'], { environment }),
    }
    cleanups.push(() => Promise.all([running.api.end('SIGKILL'), running.worker.end('SIGKILL')]))

    const photo = new Blob([await readFile(PHOTO)], { type: 'image/jpeg' })
    const accepted: string[] = []
    const submitting = (async () => {
      for (let number = 0; number < JOBS; number++) {
        const job = await submit(url, environment.API_KEY, photo, number, receiver.url)
        accepted.push(job.job_id)
      }
    })()

    for (const { after, victim } of KILLS) {
      await vi.waitFor(() => expect(receiver.received.length, diagnosis(running)).toBeGreaterThanOrEqual(after), {
        timeout: 120_000,
        interval: 50,
      })
      if (victim !== 'worker') {
        await running.api.end('SIGKILL')
        running.api = startKinora(['serve'], { environment })
      }
      if (victim !== 'api') {
        await running.worker.end('SIGKILL')
        running.worker = startKinora(['worker'], { environment })
      }
    }
    await submitting
    expect(new Set(accepted).size).toBe(JOBS)

    await vi.waitFor(
      () =>
        expect(new Set(receiver.received.map((message) => message.payload.job_id)).size, diagnosis(running)).toBe(JOBS),
      { timeout: 180_000, interval: 100 },
    )
    expect(receiver.refused).toEqual([])

    for (const jobId of accepted) {
      const job = Job.parse(await getJson(`${url}/api/v1/jobs/${jobId}`, environment.API_KEY))
      expect(job, `${jobId}: ${job.error_message}`).toMatchObject({ status: 'completed', progress: 100 })
      const video = await fetch(job.result_url!)
      expect(video.status).toBe(200)
      expect(await countFrames(new Uint8Array(await video.arrayBuffer()))).toBe(job.num_frames)
      // A message may come more than once, but it is one message, and it says how the job ended.
      const messages = receiver.received.filter((message) => message.payload.job_id === jobId)
      expect(new Set(messages.map((message) => message.id)).size).toBe(1)
      expect(messages[0]!.payload.type).toBe('job.completed')
    }
  })
})

/** As the SDK does it: with an idempotency key, again and again until an answer comes. */
async function submit(url: string, key: string, photo: Blob, number: number, webhookUrl: string): Promise<Job> {
  return vi.waitFor(
    async () => {
      const form = new FormData()
      form.set('image', photo, 'photo.jpg')
      const fields = {
        prompt: 'zoom in',
        duration: 1,
        fps: 8,
        width: 192,
        height: 128,
        seed: number,
        webhook_url: webhookUrl,
      }
      for (const [name, value] of Object.entries(fields)) form.set(name, String(value))
      const response = await fetch(`${url}/api/v1/generate`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'idempotency-key': `durability-${number}` },
        body: form,
        signal: AbortSignal.timeout(10_000),
      })
      const body: unknown = await response.json()
      expect(response.status, JSON.stringify(body)).toBe(201)
      return Job.parse(body)
    },
    { timeout: 60_000, interval: 200 },
  )
}

async function getJson(url: string, key: string): Promise<unknown> {
  const response = await fetch(url, { headers: { authorization: `Bearer ${key}` } })
  expect(response.status).toBe(200)
  return response.json()
}

function diagnosis(running: { api: RunningProcess; worker: RunningProcess }): string {
  return `api:\n${running.api.output().slice(-3000)}\nworker:\n${running.worker.output().slice(-3000)}`
}
