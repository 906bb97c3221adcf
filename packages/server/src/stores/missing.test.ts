import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { expect, it } from 'vitest'
import { postgres } from './postgres/index.ts'
import { redis } from './redis/index.ts'

const context = { logger: pino({ level: 'silent' }), retention: { completed: 1, failed: 1 } }

it.each([
  ['redis', 'ioredis'],
  ['postgres', 'pg'],
  ['embedded', '@electric-sql/pglite'],
])('says that %s needs the package %s', (store, name) => {
  const program = new URL('../../test/services/without-drivers.ts', import.meta.url)
  const said = execFileSync(process.execPath, [
    '--conditions=@kinora/source',
    '--import',
    'tsx',
    fileURLToPath(program),
    store,
  ])
  expect(said.toString()).toContain(
    `driver_missing: The ${store === 'embedded' ? 'embedded' : store === 'redis' ? 'Redis' : 'Postgres'} queue needs the package ${name}: npm install ${name}`,
  )
})

it('says where it looked for a server that is not there, without the password', async () => {
  for (const driver of [
    redis({ url: 'redis://:secret@127.0.0.1:1' }),
    postgres({ url: 'postgres://a:secret@127.0.0.1:1/b' }),
  ]) {
    const error: unknown = await driver.open(context).catch((cause: unknown) => cause)
    expect(error).toMatchObject({ code: 'unreachable', message: expect.stringContaining('127.0.0.1:1') })
    expect(String(error)).not.toContain('secret')
  }
})
