/** A worker that speaks the lease protocol and makes no video: the test says when it moves. */
import { type Heartbeat, Lease, LeaseEnd, paths } from '@kinora/protocol'

/** So many bytes that begin as an mp4 file does, with a `ftyp` box: servers refuse anything else as a video. */
export function videoOf(length: number): Uint8Array<ArrayBuffer> {
  const video = Uint8Array.from({ length }, (_, at) => (at * 31) % 251)
  video.set([0, 0, 0, 16, ...new TextEncoder().encode('ftypisom'), 0, 0, 2, 0])
  return video
}

export interface TestWorker {
  /** Waits for the next job. */
  claim(): Promise<Lease>
  heartbeat(lease: Lease, progress: number): Promise<Heartbeat>
  /** Uploads these bytes as the video, and ends the job. */
  complete(lease: Lease, video: Uint8Array<ArrayBuffer>): Promise<LeaseEnd>
  fail(lease: Lease, error: string, error_code: string): Promise<LeaseEnd>
}

export function testWorker(url: string, token: string): TestWorker {
  async function post(path: string, body: unknown): Promise<Response> {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
    return response
  }
  async function put(
    { url: target, headers }: Lease['uploads']['video'],
    body: Uint8Array<ArrayBuffer>,
  ): Promise<void> {
    const response = await fetch(target, { method: 'PUT', headers, body })
    if (!response.ok) throw new Error(`PUT: ${response.status} ${await response.text()}`)
  }
  return {
    async claim() {
      for (;;) {
        const response = await post(paths.leases(), { model: 'camera', worker: 'test', wait: 5 })
        if (response.status === 200) return Lease.parse(await response.json())
      }
    },
    async heartbeat({ lease_id }, progress) {
      return (await post(paths.heartbeat(lease_id), { progress, stage: 'generating' })).json() as Promise<Heartbeat>
    },
    async complete({ lease_id, uploads }, video) {
      await put(uploads.video, video)
      return LeaseEnd.parse(await (await post(paths.complete(lease_id), {})).json())
    },
    async fail({ lease_id }, error, error_code) {
      return LeaseEnd.parse(await (await post(paths.fail(lease_id), { error, error_code, retryable: false })).json())
    },
  }
}
