/** The other side of the lease protocol, for the worker's tests: one server in this process that checks every request with protocol's schemas. */

import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import {
  CompleteRequest,
  FailRequest,
  HeartbeatRequest,
  LeaseRequest,
  type Abilities,
  type Lease,
  type PicturePlace,
  type RequestedSettings,
} from '@kinora/protocol'

export interface TestJob {
  readonly job_id: string
  readonly settings: Partial<RequestedSettings>
  readonly picture: Uint8Array
  /** All pictures with their places, the first one included. */
  readonly images?: readonly (PicturePlace & { readonly bytes: Uint8Array; readonly strength?: number })[]
}

/** What became of one lease. */
export interface LeaseRecord {
  readonly lease_id: string
  readonly job_id: string
  readonly attempt: number
  readonly heartbeats: ReturnType<typeof HeartbeatRequest.parse>[]
  readonly uploads: Map<string, { bytes: Buffer; contentType: string | undefined }>
  cancel: boolean
  lost: boolean
  end?: { kind: 'complete' | 'fail' | 'release'; body: unknown }
}

export interface LeaseServer {
  readonly url: string
  readonly token: string
  readonly leases: LeaseRecord[]
  /** Claims that were made, work or not. */
  readonly claims: { model: string; worker: string; abilities?: Abilities | undefined }[]
  add(job: TestJob): void
  /** Answers everything with 503, or refuses connections' requests by hanging up. */
  trouble: 'none' | 'unavailable' | 'hangs up'
  /** Statuses that the next uploads are answered with, before they work. */
  readonly uploadFailures: number[]
  /** Told of each request's path; throws nothing. */
  onRequest: (path: string) => void
  close(): Promise<void>
}

export async function startLeaseServer(): Promise<LeaseServer> {
  const token = randomUUID()
  const queue: (TestJob & { attempt: number })[] = []
  const waiting = new Set<() => void>()
  const pictures = new Map<string, Uint8Array>()
  const leases: LeaseRecord[] = []
  const state: Pick<LeaseServer, 'trouble' | 'uploadFailures' | 'onRequest' | 'claims'> = {
    trouble: 'none',
    uploadFailures: [],
    onRequest: () => undefined,
    claims: [],
  }
  let url = ''

  function give(job: TestJob & { attempt: number }, model: string): Lease {
    const record: LeaseRecord = {
      lease_id: randomUUID(),
      job_id: job.job_id,
      attempt: job.attempt,
      heartbeats: [],
      uploads: new Map(),
      cancel: false,
      lost: false,
    }
    leases.push(record)
    pictures.set(job.job_id, job.picture)
    const images = job.images?.map(({ bytes, strength = 1, ...place }, index) => {
      pictures.set(`${job.job_id}-${index}`, bytes)
      return { image_url: `${url}/storage/inputs/${job.job_id}-${index}?signature=secret`, strength, ...place }
    })
    const put = (name: string, type: string) => ({
      url: `${url}/storage/${record.lease_id}/${name}?signature=secret`,
      headers: { 'content-type': type },
    })
    return {
      lease_id: record.lease_id,
      job_id: job.job_id,
      model,
      attempt: job.attempt,
      deadline: new Date(Date.now() + 30_000).toISOString(),
      heartbeat_interval: 0.2,
      settings: { duration: 1, seed: 1, ...job.settings },
      image_url: `${url}/storage/inputs/${job.job_id}?signature=secret`,
      ...(images !== undefined && { images }),
      uploads: { video: put('video', 'video/mp4'), poster: put('poster', 'image/jpeg') },
    }
  }

  async function claim(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { model, worker, abilities, wait } = LeaseRequest.parse(await json(request))
    state.claims.push({ model, worker, abilities })
    if (queue.length === 0) {
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer)
          waiting.delete(done)
          resolve()
        }
        const timer = setTimeout(done, wait * 1000)
        waiting.add(done)
        response.once('close', done)
      })
    }
    if (response.destroyed) return
    const job = queue.shift()
    if (job === undefined) send(response, 204)
    else send(response, 200, give(job, model))
  }

  async function onLease(
    id: string,
    action: string,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const body = await json(request)
    const record = leases.find((lease) => lease.lease_id === id)
    if (record === undefined || record.lost || (record.end && record.end.kind !== action)) {
      return refuse(response, 409, 'lease_lost', 'This lease is no longer yours.')
    }
    if (action === 'heartbeat') {
      record.heartbeats.push(HeartbeatRequest.parse(body))
      return send(response, 200, { cancel: record.cancel, deadline: new Date(Date.now() + 30_000).toISOString() })
    }
    if (action === 'complete') {
      record.end = { kind: action, body: CompleteRequest.parse(body) }
      return send(response, 200, { job_id: record.job_id, status: 'completed' })
    }
    if (action === 'fail') {
      record.end = { kind: action, body: FailRequest.parse(body) }
      return send(response, 200, { job_id: record.job_id, status: record.cancel ? 'canceled' : 'failed' })
    }
    record.end = { kind: 'release', body }
    return send(response, 200, { job_id: record.job_id, status: 'queued' })
  }

  async function onStorage(parts: string[], request: IncomingMessage, response: ServerResponse): Promise<void> {
    const [folder = '', name = ''] = parts
    if (request.method === 'GET') {
      const picture = pictures.get(name)
      if (picture === undefined) return refuse(response, 404, 'not_found', 'Not found')
      response.writeHead(200, { 'content-length': picture.byteLength }).end(picture)
      return
    }
    const bytes = await read(request)
    const failure = state.uploadFailures.shift()
    if (failure !== undefined) return refuse(response, failure, 'storage_unavailable', 'No.')
    // As S3 does: no length, no upload.
    if (Number(request.headers['content-length']) !== bytes.length)
      return refuse(response, 411, 'length', 'Length required')
    leases
      .find((lease) => lease.lease_id === folder)
      ?.uploads.set(name, { bytes, contentType: request.headers['content-type'] })
    send(response, 200, {})
  }

  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? ''
    state.onRequest(path)
    if (state.trouble === 'hangs up') return request.socket.destroy()
    if (state.trouble === 'unavailable') return refuse(response, 503, 'queue_unavailable', 'The queue is away.')
    const parts = path.split('/').slice(1)
    const answer = async () => {
      if (parts[0] === 'storage') return onStorage(parts.slice(1), request, response)
      if (request.headers.authorization !== `Bearer ${token}`) {
        return refuse(response, 401, 'unauthorized', 'Invalid worker token')
      }
      if (path === '/api/v1/leases') return claim(request, response)
      if (parts[2] === 'leases') return onLease(parts[3] ?? '', parts[4] ?? '', request, response)
      return refuse(response, 404, 'not_found', 'Not found')
    }
    answer().catch((error: unknown) => refuse(response, 400, 'invalid_request', String(error)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port.')
  url = `http://127.0.0.1:${address.port}`

  return Object.assign(state, {
    url,
    token,
    leases,
    add(job: TestJob) {
      queue.push({ ...job, attempt: 1 })
      for (const wake of waiting) {
        wake()
        break
      }
    },
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function json(request: IncomingMessage): Promise<unknown> {
  return JSON.parse((await read(request)).toString() || '{}')
}

function send(response: ServerResponse, status: number, body?: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(body === undefined ? '' : JSON.stringify(body))
}

function refuse(response: ServerResponse, status: number, code: string, error: string): void {
  if (response.headersSent || response.destroyed) return
  send(response, status, { error, code })
}
