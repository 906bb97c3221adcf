/** Before all tests: a folder that embedded queues begin with, kept between runs. Postgres' initdb in each test took more time than the tests. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PGlite } from '@electric-sql/pglite'

/** Tests and the processes that they start read it. */
const VARIABLE = 'KINORA_TEST_TEMPLATE'

export default async function makeQueueTemplate(): Promise<void> {
  const entry = createRequire(import.meta.url).resolve('@electric-sql/pglite')
  const { version } = JSON.parse(readFileSync(join(dirname(entry), '..', 'package.json'), 'utf8')) as {
    version: string
  }
  const folder = fileURLToPath(new URL('../../node_modules/.cache/kinora/', import.meta.url))
  const path = join(folder, `queue-${version}.tar.gz`)
  if (!existsSync(path)) {
    const database = await PGlite.create()
    const archive = await database.dumpDataDir('gzip')
    await database.close()
    mkdirSync(folder, { recursive: true })
    writeFileSync(`${path}.${process.pid}`, Buffer.from(await archive.arrayBuffer()))
    renameSync(`${path}.${process.pid}`, path)
  }
  process.env[VARIABLE] = path
}
