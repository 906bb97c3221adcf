import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { findProgram } from './binaries.ts'
import { freePort } from './free-port.ts'
import { end, type Service, until } from './service.ts'

const program = findProgram('redis-server') ?? findProgram('valkey-server')

/** Why the tests on Redis do not run here, or false. */
export const redisMissing = program === null && 'redis-server is not installed: the tests on Redis are skipped'

/** A Redis that writes every command to disk before it answers. */
export async function startRedis(): Promise<Service> {
  if (program === null) throw new Error('redis-server is not installed')
  const folder = await mkdtemp(join(tmpdir(), 'kinora-redis-'))
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}/0`
  let child: ChildProcess

  async function start(): Promise<void> {
    child = spawn(
      program ?? '',
      [
        '--port',
        String(port),
        '--bind',
        '127.0.0.1',
        '--dir',
        folder,
        '--appendonly',
        'yes',
        '--appendfsync',
        'always',
        '--save',
        '',
      ],
      { stdio: 'ignore' },
    )
    await until(async () => {
      const client = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null })
      client.on('error', () => undefined)
      try {
        await client.connect()
        await client.ping()
      } finally {
        client.disconnect()
      }
    }, 'redis-server')
  }
  await start()
  return {
    url,
    get pid() {
      return child.pid ?? 0
    },
    start,
    kill: () => end(child, 'SIGKILL'),
    async dispose() {
      await end(child, 'SIGTERM')
      await rm(folder, { recursive: true, force: true })
    },
  }
}
