/**
 * A Kinora server in memory that misbehaves as servers, networks and operators do: answers get lost after the deed, it restarts, deploys behind a proxy
 * and changes its key; its webhooks come twice, out of order, late or never. What it was asked and what it keeps can be looked at.
 */
import { signWebhook } from '@kinora/protocol'

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function startDice(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

interface ServerJob {
  readonly id: string
  readonly body: string
  readonly webhookUrl: string | undefined
  status: 'queued' | 'processing' | 'completed' | 'failed' | 'canceled'
}

interface Delivery {
  readonly url: string
  readonly body: string
}

/** Takes a message, and answers the HTTP status. */
type Deliver = (
  path: string,
  init: { method: string; headers: Record<string, string>; body: string },
) => Promise<number>

export function startUnrulyServer(dice: () => number, secret: string) {
  const jobs = new Map<string, ServerJob>()
  /** Ids by idempotency key. */
  const keys = new Map<string, string>()
  const deliveries: Delivery[] = []
  const asked = { submissions: 0, polls: 0, tellings: 0, lost: 0, refused: 0 }
  let key = 'key'
  let mode: 'up' | 'down' | 'deploying' = 'up'
  let messages = 0
  let made = 0

  function end(job: ServerJob, status: 'completed' | 'failed' | 'canceled'): void {
    job.status = status
    if (job.webhookUrl === undefined || dice() < 0.15) return
    const fields =
      status === 'completed' ? { video_url: `https://videos.example.com/${job.id}.mp4` } : { error: status }
    const body = JSON.stringify({
      type: `job.${status}`,
      job_id: job.id,
      status: status === 'completed' ? status : 'failed',
      data: show(job),
      ...fields,
    })
    const times = dice() < 0.3 ? 3 : 1
    for (let time = 0; time < times; time++) {
      deliveries.splice(Math.floor(dice() * (deliveries.length + 1)), 0, { url: job.webhookUrl, body })
    }
  }

  function answer(method: string, path: string, headers: Headers, body: string): Response {
    if (headers.get('authorization') !== `Bearer ${key}`) return json(401, { error: 'No', code: 'unauthorized' })
    if (path === '/api/v1/generate') {
      asked.submissions += 1
      return submit(headers.get('idempotency-key') ?? '', body)
    }
    const [, id = '', act] = /^\/api\/v1\/jobs\/([^/]+)(\/cancel)?$/.exec(path) ?? []
    const job = jobs.get(id)
    if (method === 'GET') asked.polls += 1
    else asked.tellings += 1
    if (job === undefined) return json(404, { error: 'Job not found', code: 'job_not_found' })
    if (method === 'DELETE') {
      jobs.delete(id)
      for (const [name, value] of keys) if (value === id) keys.delete(name)
      return new Response(null, { status: 204 })
    }
    if (act !== undefined && (job.status === 'queued' || job.status === 'processing')) end(job, 'canceled')
    return json(200, show(job))
  }

  function submit(name: string, body: string): Response {
    const known = jobs.get(keys.get(name) ?? '')
    if (known !== undefined) {
      return known.body === body ? json(201, show(known)) : json(422, { error: 'No', code: 'idempotency_mismatch' })
    }
    made += 1
    const { webhook_url: webhookUrl }: { webhook_url?: string } = JSON.parse(body)
    const job: ServerJob = { id: `job_${made}`, body, webhookUrl, status: 'queued' }
    jobs.set(job.id, job)
    keys.set(name, job.id)
    return json(201, show(job))
  }

  return {
    jobs,
    asked,
    /** How many jobs were made, all in all. */
    made: () => made,
    deliveries,
    become(next: typeof mode) {
      mode = next
    },
    changeKey(next: string) {
      key = next
    },
    /** In place of the global `fetch`. */
    fetch: async (url: string, init: RequestInit = {}): Promise<Response> => {
      if (mode === 'down') throw new TypeError('fetch failed')
      if (mode === 'deploying') {
        asked.refused += 1
        return new Response('<html>Back soon</html>', { status: dice() < 0.5 ? 404 : 502 })
      }
      if (dice() < 0.05) throw new TypeError('connection refused')
      const { pathname } = new URL(url)
      const response = answer(
        init.method ?? 'GET',
        pathname,
        new Headers(init.headers),
        typeof init.body === 'string' ? init.body : '',
      )
      if (response.status === 401) asked.refused += 1
      if (dice() > 0.08) return response
      // It is done, and nobody hears of it.
      asked.lost += 1
      throw new TypeError('terminated')
    },
    /** Workers go on. */
    work() {
      if (mode !== 'up') return
      for (const job of jobs.values()) {
        const luck = dice()
        if (job.status === 'queued' && luck < 0.7) job.status = 'processing'
        else if (job.status === 'processing' && luck < 0.7) end(job, luck < 0.1 ? 'failed' : 'completed')
      }
    },
    /** Sends some of the messages that wait; those that are refused come again. */
    async deliver(to: Deliver) {
      for (let count = Math.ceil(deliveries.length * dice()); count > 0; count--) {
        const delivery = deliveries.shift()
        if (delivery === undefined) return
        messages += 1
        const { url, body } = delivery
        const headers = await signWebhook({ id: `msg_${messages}`, timestamp: new Date(), body, secrets: [secret] })
        const { search } = new URL(url)
        if ((await to(`/video-complete${search}`, { method: 'POST', headers, body })) >= 300) deliveries.push(delivery)
      }
    },
  }
}

function show({ id, status }: ServerJob) {
  return {
    job_id: id,
    status,
    created_at: '2026-03-14T09:26:53.000Z',
    model: 'camera',
    attempt: 0,
    duration: 5,
    seed: 1,
    ...(status === 'completed' ? { result_url: `https://videos.example.com/${id}.mp4` } : {}),
  }
}

function json(status: number, body: unknown): Response {
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })
}
