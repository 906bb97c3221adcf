import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { createTar } from 'nanotar'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { PGlite } from '@electric-sql/pglite'
import { pino } from 'pino'
import { embedded } from './index.ts'

describe('a folder that begins with a template', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'kinora-template-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  const openContext = { logger: pino({ level: 'silent' }), retention: { completed: 60, failed: 60 } }

  async function open(name: string, template: string): Promise<string | undefined> {
    const store = await embedded({ dataDir: join(folder, name), template }).open(openContext)
    await store.close()
    const database = await PGlite.create({ dataDir: join(folder, name, 'queue') })
    const { rows } = await database.query<{ note: string }>(`SELECT obj_description('pg_database'::regclass) AS note`)
    await database.close()
    return rows[0]?.note
  }

  it('has what the template has, and a folder that exists keeps its own', { timeout: 120_000 }, async () => {
    const database = await PGlite.create()
    await database.exec(`SET allow_system_table_mods = on; COMMENT ON TABLE pg_database IS 'from the template'`)
    const template = join(folder, 'queue.tar.gz')
    await writeFile(template, Buffer.from(await (await database.dumpDataDir('gzip')).arrayBuffer()))
    await database.close()

    expect(await open('new', template)).toBe('from the template')

    await writeFile(template, 'what a folder that exists does not read')
    expect(await open('new', template)).toBe('from the template')
  })

  it(
    'is set up as ever where the template cannot be read, is missing, or is of another Postgres',
    { timeout: 120_000 },
    async () => {
      const broken = join(folder, 'broken.tar.gz')
      await writeFile(broken, 'no archive')
      const foreign = join(folder, 'foreign.tar.gz')
      const archive = gzipSync(createTar([{ name: 'PG_VERSION', data: '9.6\n' }, { name: 'base/' }]))
      await writeFile(foreign, archive)

      for (const template of [broken, foreign, join(folder, 'missing.tar.gz')]) {
        await expect(open(`beside ${template.split('/').at(-1)}`, template)).resolves.toBeNull()
      }
      expect(await readFile(join(folder, 'beside foreign.tar.gz', 'queue', 'PG_VERSION'), 'utf8')).not.toContain('9.6')
    },
  )
})
