/** A server on a free port that answers what a test tells it to: for the answers that a healthy Kinora server does not give. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export interface ScriptedAnswer {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** Answers a request; `'never'` leaves it open until the server closes, `'cut'` breaks off within the answer. */
export type Script = (request: SeenRequest) => ScriptedAnswer | 'never' | 'cut'

export async function startScriptedServer(script: Script) {
  const seen: SeenRequest[] = []
  let current = script
  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = []
    request.on('data', (chunk: Uint8Array) => chunks.push(chunk))
    request.on('end', () => {
      const { method = 'GET', url: path = '/', headers } = request
      const body = chunks.map((chunk) => new TextDecoder('latin1').decode(chunk)).join('')
      const one = { method, path, headers, body }
      seen.push(one)
      const answer = current(one)
      if (answer === 'never') return
      if (answer === 'cut') {
        response.writeHead(200, { 'content-length': '1000' })
        response.write('x', () => request.socket.destroy())
        return
      }
      response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', ...answer.headers })
      response.end(answer.body instanceof Uint8Array ? answer.body : JSON.stringify(answer.body ?? {}))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    answer(script: Script) {
      current = script
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** A job as the wire shows it. */
export function wireJob(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    job_id: 'job_1',
    status: 'queued',
    created_at: '2026-03-14T09:26:53.000Z',
    model: 'camera',
    attempt: 0,
    duration: 5,
    seed: 1,
    ...fields,
  }
}

/** A port where nobody listens. */
export async function closedUrl(): Promise<string> {
  const server = await startScriptedServer(() => ({}))
  await server.close()
  return server.url
}
