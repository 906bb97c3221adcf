/** A real Kinora server in a process of its own, and a worker whose every step a test decides. */
import { Lease, LeaseEnd, paths } from '@kinora/protocol'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const API_KEY = 'key-of-the-tests'
const WORKER_TOKEN = 'token-of-the-tests'
const here = path.dirname(fileURLToPath(import.meta.url))

export type RealKinora = Awaited<ReturnType<typeof startRealKinora>>

/** @param webhookSecret signs its messages */
export async function startRealKinora(webhookSecret: string) {
  const child = spawn(
    process.execPath,
    ['--conditions=@kinora/source', '--import', 'tsx', fileURLToPath(new URL('./kinora-server.ts', import.meta.url))],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: {
        ...process.env,
        TEST_API_KEY: API_KEY,
        TEST_WORKER_TOKEN: WORKER_TOKEN,
        TEST_WEBHOOK_SECRET: webhookSecret,
      },
    },
  )
  const ended = once(child, 'exit')
  const ready = once(createInterface(child.stdout), 'line')
  const [line] = await Promise.race([
    ready,
    ended.then(([code]) => Promise.reject(new Error(`The server ended with ${String(code)} before it was ready.`))),
  ])
  const { url }: { url: string } = JSON.parse(String(line))

  return {
    url,
    apiKey: API_KEY,
    claim: () => claim(url),
    /** What the server says about a job. */
    async job(jobId: string): Promise<{ status: string } | null> {
      const response = await fetch(url + paths.job(jobId), { headers: { authorization: `Bearer ${API_KEY}` } })
      return response.status === 404 ? null : response.json()
    },
    async close() {
      child.stdin.end()
      await ended
    },
  }
}

/** Claims the next job, and answers what a worker may do with it. */
async function claim(url: string) {
  const response = await post(url, paths.leases(), { model: 'camera', worker: 'test', wait: 20 })
  if (response.status !== 200) throw new Error(`No job came: HTTP ${response.status}.`)
  const lease = Lease.parse(await response.json())
  return {
    jobId: lease.job_id,
    settings: lease.settings,
    /** The picture, as the server has it. */
    async picture(): Promise<Uint8Array> {
      return new Uint8Array(await (await fetch(lease.image_url)).arrayBuffer())
    },
    async beat(progress: number) {
      await post(url, paths.heartbeat(lease.lease_id), { progress, stage: 'generating' })
    },
    /** Answers whether the job was canceled. */
    async isCanceled(): Promise<boolean> {
      const answer = await post(url, paths.heartbeat(lease.lease_id), { progress: 50, stage: 'generating' })
      const { cancel }: { cancel?: boolean } = await answer.json()
      return answer.status === 409 || cancel === true
    },
    async complete() {
      for (const kind of ['video', 'poster'] as const) {
        const { url: target, headers } = lease.uploads[kind]
        const put = await fetch(target, { method: 'PUT', headers, body: await fixture(kind) })
        if (!put.ok) throw new Error(`The ${kind} was not taken: HTTP ${put.status} ${await put.text()}`)
      }
      return LeaseEnd.parse(await (await post(url, paths.complete(lease.lease_id), {})).json())
    },
    async fail(error: string) {
      await post(url, paths.fail(lease.lease_id), { error, error_code: 'out_of_memory', retryable: false })
    },
  }
}

async function post(url: string, route: string, body: unknown): Promise<Response> {
  return fetch(url + route, {
    method: 'POST',
    headers: { authorization: `Bearer ${WORKER_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
}

const FILES = { video: 'video.mp4', poster: 'poster.jpg', photo: 'photo.jpg' }

/** A small real file. */
export async function fixture(kind: keyof typeof FILES): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(path.join(here, 'fixtures', FILES[kind])))
}
