/** Kinora as a server of its own, on a port: what `kinora serve` and `kinora dev` run. */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { createKinora, type Kinora } from './create-kinora.ts'
import type { KinoraOptions } from './options.ts'

export interface ServeOptions extends Omit<KinoraOptions, 'publicUrl' | 'basePath'> {
  /** 0 takes a free one. Default 3000. */
  readonly port?: number | undefined
  /** Address to listen on. Default `0.0.0.0`; `::` takes IPv6 as well. */
  readonly host?: string | undefined
  /** Where users reach it. Default: `http://localhost:<port>`. */
  readonly publicUrl?: string | undefined
}

export interface ServedKinora extends Kinora {
  /** Where this process listens, as another process on this machine reaches it. */
  readonly url: string
  readonly port: number
}

/**
 * Makes a server and listens. CORS is on, unless told otherwise.
 *
 * @throws Error when the port is taken, saying which, or whatever `createKinora` throws
 */
export async function serveKinora({ port = 3000, host = '0.0.0.0', ...options }: ServeOptions): Promise<ServedKinora> {
  let localUrl = ''
  const kinora = await createKinora({ cors: true, ...options, publicUrl: options.publicUrl ?? (() => localUrl) })
  const server = createAdaptorServer({
    fetch: kinora.app.fetch,
    serverOptions: {
      // A slow upload of a picture may take this long; answers may take any time.
      requestTimeout: 300_000,
      headersTimeout: 60_000,
      // Longer than the idle time of the proxies in front (Railway, nginx, AWS: 60 s), else they write into a closed connection.
      keepAliveTimeout: 75_000,
      maxHeaderSize: 32 * 1024,
    },
  }) as Server

  try {
    await listen(server, port, host)
  } catch (error) {
    await kinora.close({ graceSeconds: 0 })
    throw error
  }
  const bound = (server.address() as AddressInfo).port
  localUrl = `http://localhost:${bound}`
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host.includes(':') ? `[${host}]` : host
  const url = `http://${name}:${bound}`

  let closing: Promise<void> | undefined
  async function close(options?: { readonly graceSeconds?: number }): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    await kinora.close(options)
    // Whoever still reads a video has had the time that was given.
    server.closeAllConnections()
    await closed
  }
  return { app: kinora.app, core: kinora.core, url, port: bound, close: (options) => (closing ??= close(options)) }
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const reason =
        cause.code === 'EADDRINUSE'
          ? `Port ${port} is taken by another program: choose one with PORT.`
          : `Cannot listen on ${host}:${port}: ${cause.message}`
      reject(new Error(reason, { cause }))
    })
    server.listen(port, host, () => resolve())
  })
}
