/** People who use the service while it breaks: they submit, repeat, stream, ask again, cancel and delete, and write down what they were told. */
import { createServer } from 'node:http'
import { once } from 'node:events'
import { Job, isFinal, WebhookPayload, verifyWebhookSignature, WebhookSecret } from '@kinora/protocol'
import { createParser } from 'eventsource-parser'
import { text } from 'node:stream/consumers'
import { countFrames } from '../harness/video.ts'
import type { Random } from './random.ts'
import type { Acceptance, MessageSeen, Sighting } from './told.ts'
import { pause, type Tenant, TENANTS } from './world.ts'

export interface Clients {
  readonly acceptances: readonly Acceptance[]
  readonly sightings: readonly Sighting[]
  readonly deleted: ReadonlySet<string>
  readonly whole: ReadonlySet<string>
  /** Submits one more job and does with it what its random choices say. Resolves when nothing more is to be told of it. */
  useOnce(number: number): Promise<void>
  /** Jobs that were told to have ended. */
  readonly ended: number
}

export interface ClientsOptions {
  readonly url: string
  readonly random: Random
  readonly photo: Uint8Array
  /** The same photograph by URL. */
  readonly photoUrl: string
  readonly webhookUrl: (tenant: Tenant) => string
  /** Ends everything that still waits. */
  readonly signal: AbortSignal
}

/** Milliseconds after which one request is given up and repeated. */
const PATIENCE = 15_000

export function createClients({ url, random, photo, photoUrl, webhookUrl, signal }: ClientsOptions): Clients {
  const acceptances: Acceptance[] = []
  const sightings: Sighting[] = []
  const deleted = new Set<string>()
  const whole = new Set<string>()
  const ended = new Set<string>()

  function told(observer: string, began: number, ended_: number, job: Job): void {
    const { job_id, status, attempt, progress, completed_at, error_code, error_message } = job
    sightings.push({
      observer,
      began,
      ended: ended_,
      job: { job_id, status, attempt, progress, completed_at, error_code, error_message },
    })
    if (isFinal(status)) ended.add(job_id)
  }

  async function ask(tenant: Tenant, path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(url + path, {
      ...init,
      headers: { authorization: `Bearer ${TENANTS[tenant]}`, ...(init.headers as Record<string, string> | undefined) },
      signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]),
      redirect: 'manual',
    })
  }

  /** Again and again, until an answer comes that says something. */
  async function insist<T>(work: () => Promise<T | 'again'>): Promise<T> {
    for (;;) {
      signal.throwIfAborted()
      const answer = await work().catch((error: unknown) => {
        if (error instanceof Refused) throw error
        return 'again' as const
      })
      if (answer !== 'again') return answer
      await pause(100 + random.integer(400))
    }
  }

  function submit(tenant: Tenant, number: number, choices: { byUrl: boolean; webhook: boolean }): Promise<Job> {
    const fields = {
      prompt: 'zoom in',
      duration: 1,
      fps: 8,
      width: 128,
      height: 96,
      seed: number,
      ...(choices.webhook ? { webhook_url: webhookUrl(tenant) } : {}),
    }
    const idempotencyKey = `chaos-${number}`
    return insist(async () => {
      const headers = { 'idempotency-key': idempotencyKey }
      const response = await ask(tenant, '/api/v1/generate', {
        method: 'POST',
        ...(choices.byUrl
          ? {
              headers: { ...headers, 'content-type': 'application/json' },
              body: JSON.stringify({ ...fields, image_url: photoUrl }),
            }
          : { headers, body: toForm(fields, photo) }),
      })
      const body: unknown = await response.json()
      if (response.status >= 500 || response.status === 429) return 'again'
      if (response.status !== 201) throw new Refused(`${response.status} ${JSON.stringify(body)}`)
      const job = Job.parse(body)
      acceptances.push({ tenant, idempotencyKey, jobId: job.job_id, webhook: choices.webhook })
      return job
    })
  }

  /** Asks until the job has ended, or has been deleted. */
  async function poll(tenant: Tenant, jobId: string, observer: string): Promise<void> {
    await insist(async () => {
      const began = performance.now()
      const response = await ask(tenant, `/api/v1/jobs/${jobId}`)
      const body: unknown = await response.json()
      if (response.status === 404 && deleted.has(jobId)) return 'gone'
      if (response.status !== 200) return 'again'
      const job = Job.parse(body)
      told(observer, began, performance.now(), job)
      return isFinal(job.status) ? 'ended' : 'again'
    })
  }

  /** Listens, connecting again with the last revision where the stream breaks. */
  async function stream(tenant: Tenant, jobId: string): Promise<void> {
    let lastEventId: string | undefined
    let last: Job | undefined
    await insist(async () => {
      const response = await fetch(`${url}/api/v1/jobs/${jobId}/events`, {
        headers: {
          authorization: `Bearer ${TENANTS[tenant]}`,
          ...(lastEventId === undefined ? {} : { 'last-event-id': lastEventId }),
        },
        signal,
      })
      if (response.status === 404 && deleted.has(jobId)) return 'gone'
      // Nothing comes after the revision that was told last, where that was final.
      if (response.status === 204) return 'ended'
      if (response.status !== 200 || !response.body) return 'again'
      const parser = createParser({
        onEvent({ id, data }) {
          lastEventId = id ?? lastEventId
          last = Job.parse(JSON.parse(data))
          told(`stream of ${tenant}`, performance.now(), performance.now(), last)
        },
      })
      for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) parser.feed(chunk)
      return last && isFinal(last.status) ? 'ended' : deleted.has(jobId) ? 'gone' : 'again'
    })
  }

  async function cancel(tenant: Tenant, jobId: string): Promise<void> {
    await insist(async () => {
      const began = performance.now()
      const response = await ask(tenant, `/api/v1/jobs/${jobId}/cancel`, { method: 'POST' })
      const body: unknown = await response.json()
      if (response.status !== 200) return 'again'
      told('cancel', began, performance.now(), Job.parse(body))
      return 'done'
    })
  }

  async function remove(tenant: Tenant, jobId: string): Promise<void> {
    // Before the question: its answer may be lost.
    deleted.add(jobId)
    await insist(async () => {
      const response = await ask(tenant, `/api/v1/jobs/${jobId}`, { method: 'DELETE' })
      await response.arrayBuffer()
      return response.ok || response.status === 404 ? 'done' : 'again'
    })
  }

  async function watchVideo(tenant: Tenant, jobId: string): Promise<void> {
    const job = await insist(async () => {
      const response = await ask(tenant, `/api/v1/jobs/${jobId}`)
      return response.status === 200 ? Job.parse(await response.json()) : 'again'
    })
    const frames = await insist(async () => {
      const response = await fetch(job.result_url ?? '', { signal })
      if (response.status !== 200) return 'again'
      return countFrames(new Uint8Array(await response.arrayBuffer()))
    })
    if (frames === job.num_frames) whole.add(jobId)
  }

  return {
    acceptances,
    sightings,
    deleted,
    whole,
    get ended() {
      return new Set([...ended, ...deleted]).size
    },

    async useOnce(number) {
      const tenant: Tenant = random.chance(0.5) ? 'anna' : 'ben'
      const choices = { byUrl: random.chance(0.4), webhook: random.chance(0.7) }
      const [streams, cancels, deletes, repeats] = [0.4, 0.12, 0.08, 0.25].map((chance) => random.chance(chance))
      const { job_id } = await submit(tenant, number, choices)
      const work = [streams ? stream(tenant, job_id) : poll(tenant, job_id, 'poll')]
      if (repeats) work.push(submit(tenant, number, choices).then(() => undefined))
      if (cancels) work.push(pause(random.integer(3000)).then(() => cancel(tenant, job_id)))
      if (deletes) work.push(pause(random.integer(4000)).then(() => remove(tenant, job_id)))
      await Promise.all(work)
      if (deletes) return
      await poll(tenant, job_id, 'look back')
      const end = sightings.findLast(({ job }) => job.job_id === job_id)?.job
      if (end?.status === 'completed') await watchVideo(tenant, job_id)
    },
  }
}

/** A request of ours that the server calls wrong is a fault of the test's, and is never repeated. */
class Refused extends Error {}

function toForm(fields: Readonly<Record<string, string | number>>, photo: Uint8Array): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.set(name, String(value))
  form.set('image', new Blob([new Uint8Array(photo)], { type: 'image/jpeg' }), 'photo.jpg')
  return form
}

export interface Outside {
  readonly photoUrl: string
  readonly webhookUrl: (tenant: Tenant) => string
  readonly messages: readonly MessageSeen[]
  readonly refusedMessages: readonly string[]
  close(): Promise<void>
}

/** Hosts of the users': one that has the photograph, sometimes slowly, and their receivers of webhooks, which sometimes have trouble. */
export async function startOutside(options: {
  readonly photo: Uint8Array
  readonly random: Random
  /** Each tenant's signing secret; asked for when the first message comes. */
  readonly secretOf: (tenant: Tenant) => Promise<string>
}): Promise<Outside> {
  const { photo, random, secretOf } = options
  const messages: MessageSeen[] = []
  const refusedMessages: string[] = []
  const failedOnce = new Set<string>()
  const server = createServer((request, response) => {
    void (async () => {
      if (request.url === '/photo.jpg') {
        if (random.chance(0.2)) await pause(random.integer(1500))
        response.writeHead(200, { 'content-type': 'image/jpeg' }).end(photo)
        return
      }
      const body = await text(request)
      const id = String(request.headers['webhook-id'])
      if (random.chance(0.15) && !failedOnce.has(id)) {
        failedOnce.add(id)
        response.writeHead(503).end('busy')
        return
      }
      try {
        const tenant: Tenant = request.url === '/hooks/anna' ? 'anna' : 'ben'
        const secret = await secretOf(tenant)
        const { id: webhookId } = await verifyWebhookSignature({ headers: request.headers, body, secret })
        const { type, job_id: jobId, data } = WebhookPayload.parse(JSON.parse(body))
        messages.push({ webhookId, type, jobId, data })
      } catch (error) {
        refusedMessages.push(String(error))
      }
      response.writeHead(204).end()
    })()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The system gave no port.')
  const base = `http://127.0.0.1:${address.port}`
  return {
    photoUrl: `${base}/photo.jpg`,
    webhookUrl: (tenant) => `${base}/hooks/${tenant}`,
    messages,
    refusedMessages,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A tenant's signing secret, as long as it takes to get it. */
export async function readSecret(url: string, tenant: Tenant): Promise<string> {
  for (;;) {
    try {
      const response = await fetch(`${url}/api/v1/webhook-secret`, {
        headers: { authorization: `Bearer ${TENANTS[tenant]}` },
      })
      if (response.status === 200) return WebhookSecret.parse(await response.json()).secret
    } catch {
      // Lost on the way; asked again.
    }
    await pause(200)
  }
}
