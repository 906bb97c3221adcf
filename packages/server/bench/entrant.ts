/**
 * One entrant, in a process of its own: Kinora's server as `kinora serve` runs it, or the least that anybody could write instead, a Hono route
 * that compares a header, parses the body and adds to a BullMQ queue of the same kind.
 *
 *     entrant.ts kinora|bare embedded|redis|postgres ADDRESS FOLDER
 */
import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { type Job, withBackend } from 'bullmq'
import { Hono } from 'hono'
import { pino } from 'pino'
import { uploadKey } from '../src/jobs/keys.ts'
import { ATTEMPTS } from '../src/jobs/attempts.ts'
import { BACKOFF } from '../src/jobs/video-job.ts'
import { serveKinora } from '../src/serve.ts'
import type { StoreDriver, StoreName } from '../src/stores/store.ts'
import { openDriver } from './stores.ts'
import { type Answer, API_KEY, now, type Question, SETTINGS, WORKER_TOKEN } from './protocol.ts'

interface Running {
  readonly url: string
  add(): Promise<string>
  work(started: (job: string) => void): Promise<void>
  stop(): Promise<void>
  claim(): Promise<string>
  close(): Promise<void>
}

const [, , kind, store = '', address = '', folder = ''] = process.argv
const RETENTION = { completed: 24 * 3600, failed: 7 * 24 * 3600 }
/** A picture that the parent has put there through the API. */
let upload = ''

async function startKinora(driver: StoreDriver): Promise<Running> {
  const kinora = await serveKinora({
    store: driver,
    dataDir: folder,
    port: 0,
    host: '127.0.0.1',
    apiKey: API_KEY,
    workerToken: WORKER_TOKEN,
    webhookSecret: 'secret-of-the-benchmark',
    models: ['camera'],
  })
  return {
    url: kinora.url,
    async add() {
      const { job } = await kinora.core.jobs.accept('default', { image: { upload_id: upload }, request: SETTINGS })
      return job.job_id
    },
    work: () => Promise.reject(new Error('Kinora has no worker of its own.')),
    stop: async () => undefined,
    claim: () => Promise.reject(new Error('Kinora is asked over HTTP.')),
    close: () => kinora.close({ graceSeconds: 1 }),
  }
}

/** The same store through Kinora's drivers, so that connections and durability are the same, and nothing else of Kinora's. */
async function startBare(driver: StoreDriver): Promise<Running> {
  const opened = await driver.open({ logger: pino({ level: 'silent' }), retention: RETENTION })
  const bullmq = withBackend(opened.backend)
  const connection = { store: opened.name }
  const queue = new bullmq.Queue<Record<string, unknown>>('video-generation', { connection })
  const claiming = new bullmq.Worker('video-generation', null, { connection, autorun: false })
  await queue.waitUntilReady()
  const options = {
    attempts: ATTEMPTS,
    backoff: { type: 'exponential', delay: BACKOFF },
    removeOnComplete: { age: RETENTION.completed },
    removeOnFail: { age: RETENTION.failed },
  }
  const add = async ({ upload_id, ...settings }: Record<string, unknown>): Promise<Job> =>
    queue.add(
      'video',
      {
        tenant: 'default',
        model: 'camera',
        settings,
        image: { key: uploadKey('default', String(upload_id)) },
      },
      options,
    )

  const app = new Hono()
  app.post('/api/v1/generate', async (context) => {
    if (context.req.header('authorization') !== `Bearer ${API_KEY}`) return context.json({ error: 'unauthorized' }, 401)
    const asked = await context.req.json<Record<string, unknown>>()
    const job = await add(asked)
    return context.json({ job_id: job.id, status: 'queued', created_at: new Date(job.timestamp), ...asked }, 201)
  })
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
  if (!server.listening) await new Promise<void>((resolve) => void server.once('listening', () => resolve()))
  const { port } = server.address() as AddressInfo
  let worker: { close(force?: boolean): Promise<void> } | undefined
  return {
    url: `http://127.0.0.1:${port}`,
    add: async () => (await add({ ...SETTINGS, upload_id: upload })).id ?? '',
    async work(started) {
      const waiting = new bullmq.Worker('video-generation', async (job) => started(job.id ?? ''), { connection })
      await waiting.waitUntilReady()
      worker = waiting
    },
    async stop() {
      // Not by force: what it has taken it finishes, and what lies there stays.
      await worker?.close()
      worker = undefined
    },
    async claim() {
      const token = randomUUID()
      const job = await claiming.getNextJob(token, { block: false })
      if (!job) throw new Error('Nothing waits.')
      setImmediate(() => void job.moveToCompleted(null, token, false))
      return job.id ?? ''
    },
    async close() {
      server.close()
      await Promise.all([worker?.close(true), claiming.close(true), queue.close()])
      await opened.close()
    },
  }
}

function say(answer: Answer): void {
  process.send?.(answer)
}

async function answer(running: Running, question: Question): Promise<void> {
  if (question === 'cpu') {
    const { user, system } = process.cpuUsage()
    say({ cpu: (user + system) / 1000 })
  } else if (question === 'work') {
    await running.work((job) => say({ started: job, at: now() }))
    say({ done: true })
  } else if (question === 'stop') {
    await running.stop()
    say({ done: true })
  } else if (question === 'close') {
    await running.close()
    say({ done: true })
    process.disconnect()
  } else {
    const from = now()
    const job = await running[question]()
    say({ job, from, to: now() })
  }
}

const driver = openDriver(store as StoreName, address)
const running = await (kind === 'kinora' ? startKinora(driver) : startBare(driver))
process.on('message', (message: Question | { upload: string }) => {
  if (typeof message === 'object') {
    upload = message.upload
    return
  }
  answer(running, message).catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})
say({ ready: running.url })
