/**
 * What a local Convex deployment has and convex-test lacks: an HTTP port of its own. It serves the files of the test's storage, under URLs that are
 * as little public as those of `npx convex dev`, and hands what is posted to it to the routes of the test.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Parts of a `convexTest` that are needed here. */
interface Deployment {
  fetch(path: string, init: RequestInit): Promise<Response>
}

type Syscall = (operation: string, args: string) => Promise<string>

export async function startLocalDeployment() {
  let deployment: Deployment | undefined
  let dropped = 0
  let drop = (_path: string) => false
  const delivered: { path: string; status: number; body: string; headers: Record<string, string> }[] = []
  const files = new Map<string, Blob>()

  const server = createServer((request, response) => {
    const chunks: Uint8Array[] = []
    request.on('data', (chunk: Uint8Array) => chunks.push(chunk))
    request.on('end', () => {
      const path = request.url ?? '/'
      const file = files.get(path)
      if (file !== undefined) {
        void file.arrayBuffer().then((bytes) => {
          response.writeHead(200, { 'content-type': file.type })
          response.end(new Uint8Array(bytes))
        })
        return
      }
      if (deployment === undefined || drop(path)) {
        dropped += 1
        request.socket.destroy()
        return
      }
      const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
      const body = new TextDecoder().decode(join(chunks))
      void deployment.fetch(path, { method: request.method ?? 'POST', headers, body }).then(async (answer) => {
        delivered.push({ path, status: answer.status, body, headers })
        response.writeHead(answer.status, Object.fromEntries(answer.headers))
        response.end(await answer.text())
      })
    })
  })
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
    /** Puts a file under the URL that the storage of the test gives it. */
    async put(file: Blob) {
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

function join(chunks: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.byteLength, 0))
  let offset = 0
  for (const chunk of chunks) {
    all.set(chunk, offset)
    offset += chunk.byteLength
  }
  return all
}
