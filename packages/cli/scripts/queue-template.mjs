// Makes template/queue.tar.gz: an embedded queue's folder with its tables and nothing in it, which a new folder begins with. Part of the build, after
// the server's: Postgres' initdb takes seconds, unpacking this does not.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { embedded } from '@kinora/server/embedded'
import { createTar } from 'nanotar'

const folder = fileURLToPath(new URL('../template', import.meta.url))
const target = join(folder, 'queue.tar.gz')
const made = join(folder, 'made-of')

// What the tables come from: the same again makes the same template.
const require = createRequire(import.meta.url)
const sources = ['@electric-sql/pglite', 'bullmq', '@kinora/server/embedded'].map((name) => require.resolve(name))
const key = createHash('sha256')
  .update(sources.map((path) => readFileSync(path, 'utf8')).join('\n'))
  .digest('hex')
if (existsSync(target) && existsSync(made) && readFileSync(made, 'utf8') === key) process.exit(0)

const dataDir = mkdtempSync(join(tmpdir(), 'kinora-template-'))
try {
  const store = await embedded({ dataDir }).open()
  await store.close()
  const queue = join(dataDir, 'queue')
  const files = readdirSync(queue, { recursive: true, withFileTypes: true }).map((entry) => {
    const path = join(entry.parentPath ?? entry.path, entry.name)
    const name = relative(queue, path)
    return statSync(path).isDirectory() ? { name: `${name}/` } : { name, data: readFileSync(path) }
  })
  mkdirSync(folder, { recursive: true })
  writeFileSync(target, gzipSync(createTar(files, { attrs: { mtime: 0 } }), { level: 9 }))
  writeFileSync(made, key)
} finally {
  rmSync(dataDir, { recursive: true, force: true })
}
