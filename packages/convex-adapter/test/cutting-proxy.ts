/** A connection to a real server on which the first answer gets lost: the server has done what it was asked, and nobody hears of it. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request as send, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export async function startCuttingProxy(target: string) {
  /** Ids of the jobs in the answers to `POST /api/v1/generate`, the lost one first. */
  const accepted: string[] = []

  function forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { url: path = '/', method = 'GET', headers } = incoming
    const upstream = send(target + path, { method, headers }, (answer) => {
      let body = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => (body += chunk))
      answer.on('end', () => {
        const isFirst = accepted.length === 0
        if (path.endsWith('/generate')) accepted.push(String(JSON.parse(body).job_id))
        if (isFirst) incoming.socket.destroy()
        else outgoing.writeHead(answer.statusCode ?? 502, { 'content-type': 'application/json' }).end(body)
      })
    })
    incoming.pipe(upstream)
  }

  const server = createServer(forward)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    accepted,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
