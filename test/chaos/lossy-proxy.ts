/** An HTTP proxy that loses, delays and cuts what goes through it, on every connection, and takes turns between the servers behind it. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, request as ask, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { Random } from './random.ts'

/** How likely each fault is for one request. */
export interface Faults {
  /** The request never reaches a server. */
  readonly drop: number
  /** The server has done it, and its answer is lost. */
  readonly lose: number
  /** The answer ends in its middle. */
  readonly truncate: number
  /** It waits before it goes on; up to so many milliseconds. */
  readonly delay: number
  readonly delayUpTo: number
}

export const NO_FAULTS: Faults = { drop: 0, lose: 0, truncate: 0, delay: 0, delayUpTo: 0 }

/** A request that has gone through, with its answer where that was short enough to be kept. */
export interface Exchange {
  readonly method: string
  readonly path: string
  readonly requestBody: string
  readonly status: number
  readonly answerBody: string
  readonly began: number
  /** Whether the client was sent the whole answer. */
  readonly delivered: boolean
}

export interface LossyProxy {
  readonly url: string
  faults: Faults
  /** While set, every request is answered with this status, reset, or held for so many milliseconds. */
  mode: { readonly status: number } | { readonly reset: true } | { readonly slow: number } | null
  close(): Promise<void>
}

export interface LossyProxyOptions {
  /** Base URLs behind it; one that cannot be reached is passed over. */
  readonly targets: () => readonly string[]
  readonly random: Random
  readonly faults?: Faults
  /** Called for requests whose path matches `watch`. */
  readonly watch?: { readonly path: RegExp; readonly seen: (exchange: Exchange) => void }
}

export async function startLossyProxy({
  targets,
  random,
  faults = NO_FAULTS,
  watch,
}: LossyProxyOptions): Promise<LossyProxy> {
  let turn = 0
  const proxy: Omit<LossyProxy, 'url'> = {
    faults,
    mode: null,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }

  async function forward(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const began = performance.now()
    const body = await buffer(incoming)
    const { mode } = proxy
    if (mode && 'status' in mode) return void outgoing.writeHead(mode.status).end()
    if (mode && 'reset' in mode) return void outgoing.socket?.destroy()
    if (mode) await pause(mode.slow)
    const { drop, lose, truncate, delay, delayUpTo } = proxy.faults
    if (random.chance(delay)) await pause(random.integer(delayUpTo))
    if (random.chance(drop)) return void outgoing.socket?.destroy()

    const losesAnswer = random.chance(lose)
    const cutsAnswer = !losesAnswer && random.chance(truncate)
    const answer = await reachOne(incoming, body, outgoing)
    if (answer === null) return void outgoing.writeHead(502).end()

    const path = incoming.url ?? '/'
    const watched = watch?.path.test(path) ?? false
    if (watched || losesAnswer || cutsAnswer) {
      const isStream = answer.headers['content-type']?.startsWith('text/event-stream') ?? false
      if (!isStream) {
        const bytes = await buffer(answer).catch(() => Buffer.alloc(0))
        const delivered = !losesAnswer && !cutsAnswer && !outgoing.destroyed
        if (watched) {
          const exchange = { method: incoming.method ?? '', path, requestBody: body.toString(), began, delivered }
          watch?.seen({ ...exchange, status: answer.statusCode ?? 0, answerBody: bytes.toString() })
        }
        if (losesAnswer) return void outgoing.socket?.destroy()
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
        if (!cutsAnswer) return void outgoing.end(bytes)
        outgoing.write(bytes.subarray(0, Math.floor(bytes.length / 2)))
        return void setImmediate(() => outgoing.socket?.destroy())
      }
      // A stream is cut after a while rather than before it has begun.
      setTimeout(() => outgoing.socket?.destroy(), 200 + random.integer(800))
    }
    outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
    outgoing.flushHeaders()
    answer.pipe(outgoing)
    answer.on('error', () => outgoing.destroy())
    outgoing.on('close', () => answer.destroy())
  }

  /** The next server in turn, or the one after it where that cannot be reached. */
  async function reachOne(
    incoming: IncomingMessage,
    body: Buffer,
    outgoing: ServerResponse,
  ): Promise<IncomingMessage | null> {
    const all = targets()
    turn += 1
    for (let index = 0; index < all.length; index++) {
      const target = all[(turn + index) % all.length]
      if (target === undefined) continue
      const answer = await reach(target, incoming, body, outgoing)
      if (answer !== null) return answer
    }
    return null
  }

  const server = createServer((incoming, outgoing) => {
    forward(incoming, outgoing).catch(() => outgoing.destroy())
  })
  server.keepAliveTimeout = 1000
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The system gave no port.')
  return Object.assign(proxy, { url: `http://127.0.0.1:${address.port}` })
}

/** @returns null where no connection was made; rejects where it broke afterwards, since the server may have acted */
function reach(
  target: string,
  incoming: IncomingMessage,
  body: Buffer,
  outgoing: ServerResponse,
): Promise<IncomingMessage | null> {
  return new Promise((resolve, reject) => {
    const outward = ask(target + (incoming.url ?? '/'), {
      method: incoming.method ?? 'GET',
      // The S3 signature covers the host, so it is kept as the client wrote it.
      headers: { ...incoming.headers, 'content-length': String(body.length), connection: 'close' },
    })
    outward.on('response', resolve)
    outward.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') resolve(null)
      else reject(error)
    })
    outgoing.on('close', () => outward.destroy())
    outward.end(body)
  })
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds))
}
