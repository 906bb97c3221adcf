/**
 * What a local Convex deployment has and convex-test lacks: an HTTP port of its own. It serves the files of the test's storage, under URLs that are
 * as little public as those of `npx convex dev`, and hands what is posted to it to the routes of the test.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Parts of a `convexTest` that are needed here. */
interface Deployment {
  fetch(path: string, init: RequestInit): Promise<Response>
  run<Result>(handler: (ctx: { storage: { store(file: Blob): Promise<string> } }) => Promise<Result>): Promise<Result>
}

type Syscall = (operation: string, args: string) => Promise<string>

export async function startLocalDeployment() {
  let deployment: Deployment | undefined
  let dropped = 0
  let drop = (_path: string) => false
  const delivered: { path: string; status: number; body: string; headers: Record<string, string> }[] = []
  const files = new Map<string, Blob>()

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { url: path = '/', method = 'GET' } = request
    if (path.startsWith(UPLOADS) && deployment !== undefined) {
      await takeUpload(deployment, request, response)
      return
    }
    const body = await readText(request)
    const file = files.get(path)
    if (file !== undefined) {
      response.writeHead(200, { 'content-type': file.type })
      response.end(new Uint8Array(await file.arrayBuffer()))
    } else if (deployment === undefined || drop(path)) {
      dropped += 1
      request.socket.destroy()
    } else {
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
      const result = await deployment.fetch(path, { method, headers, body })
      delivered.push({ path, status: result.status, body, headers })
      response.writeHead(result.status, Object.fromEntries(result.headers))
      response.end(await result.text())
    }
  }

  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const url = `http://127.0.0.1:${port}`
  const restore = serveStorageAt(url)

  return {
    url,
    /** What came in and what it was answered. */
    delivered,
    /** How many messages were lost. */
    dropped: () => dropped,
    /** Messages of these paths get lost: the connection breaks. */
    drop(paths: (path: string) => boolean) {
      drop = paths
    },
    /** Sends what comes in to this test's routes. */
    serve(next: Deployment) {
      deployment = next
    },
    /** Serves a file. */
    put(path: string, file: Blob) {
      files.set(path, file)
    },
    /** Serves a file of the test's storage, under the URL that it has there. */
    async putStored(file: Blob) {
      files.set(`/api/storage/${encodeURIComponent(await sha256(file))}`, file)
    },
    async close() {
      restore()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Where convex-test says that files are uploaded to. */
const UPLOADS = '/api/storage/upload'

/** Puts what is uploaded into the test's storage, as a deployment does with what comes through an upload URL: whole, or not at all. */
async function takeUpload(deployment: Deployment, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Uint8Array<ArrayBuffer>[] = []
  try {
    for await (const chunk of request) chunks.push(new Uint8Array(chunk))
  } catch {
    return
  }
  const file = new Blob(chunks, { type: request.headers['content-type'] ?? '' })
  const storageId = await deployment.run((ctx) => ctx.storage.store(file))
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ storageId }))
}

/** convex-test invents URLs of a deployment in the cloud; they become URLs of the port here. */
function serveStorageAt(url: string): () => void {
  const runtime: { asyncSyscall: Syscall } = Reflect.get(globalThis, 'Convex')
  const original = Object.getOwnPropertyDescriptor(runtime, 'asyncSyscall')
  if (original?.get === undefined) throw new Error('convex-test has changed how it stands in for the runtime.')
  const read = original.get.bind(runtime)
  Object.defineProperty(runtime, 'asyncSyscall', {
    configurable: true,
    get: (): Syscall => async (operation, args) => {
      const answer = await (read() as Syscall)(operation, args)
      if (operation === '1.0/storageGenerateUploadUrl') return JSON.stringify(`${url}${UPLOADS}?token=1`)
      if (operation !== '1.0/storageGetUrl' || answer === 'null') return answer
      const name = String(JSON.parse(answer)).split('/api/storage/')[1] ?? ''
      return JSON.stringify(`${url}/api/storage/${encodeURIComponent(name)}`)
    },
  })
  return () => Object.defineProperty(runtime, 'asyncSyscall', original)
}

/** As convex-test names its files. */
async function sha256(file: Blob): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', await file.arrayBuffer())
  return btoa(String.fromCharCode(...new Uint8Array(digest)))
}

async function readText(request: IncomingMessage): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of request) text += decoder.decode(chunk, { stream: true })
  return text
}
