import { execFileSync, spawn, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { chownSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { findProgram } from './binaries.ts'
import { freePort } from './free-port.ts'
import { end, type Service, until } from './service.ts'

const server = findProgram('postgres')
const initdb = findProgram('initdb')

/** Why the tests on Postgres do not run here, or false. */
export const postgresMissing =
  (server === null || initdb === null) && 'postgres and initdb are not installed: the tests on Postgres are skipped'

/** Postgres refuses to run as root: there it runs as `postgres`, or as `nobody`. */
function unprivileged(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null
  for (const name of ['postgres', 'nobody']) {
    try {
      const id = (kind: string): number =>
        Number(execFileSync('id', [kind, name], { stdio: ['ignore', 'pipe', 'ignore'] }))
      return { uid: id('-u'), gid: id('-g') }
    } catch {
      // The next name.
    }
  }
  return null
}

/** A Postgres that writes to disk before it answers, as it does by default. */
export async function startPostgres(): Promise<Service> {
  if (server === null || initdb === null) throw new Error('postgres is not installed')
  const folder = await mkdtemp(join(tmpdir(), 'kinora-postgres-'))
  const user = unprivileged()
  const options: SpawnOptions = { stdio: 'ignore', ...user, cwd: folder }
  if (user) chownSync(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  execFileSync(initdb, ['-D', data, '-U', 'kinora', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'], {
    stdio: 'ignore',
    ...user,
    cwd: folder,
  })
  const port = await freePort()
  const url = `postgres://kinora@127.0.0.1:${port}/postgres`
  let child: ChildProcess

  async function start(): Promise<void> {
    child = spawn(server ?? '', ['-D', data, '-p', String(port), '-h', '127.0.0.1', '-k', folder], options)
    await until(async () => {
      const client = new Client({ connectionString: url })
      client.on('error', () => undefined)
      try {
        await client.connect()
        await client.query('SELECT 1')
      } finally {
        await client.end()
      }
    }, 'postgres')
  }
  await start()
  return {
    url,
    get pid() {
      return child.pid ?? 0
    },
    start,
    // The postmaster's children notice that it has gone, and end.
    kill: () => end(child, 'SIGKILL'),
    async dispose() {
      await end(child, 'SIGINT')
      await rm(folder, { recursive: true, force: true })
    },
  }
}
