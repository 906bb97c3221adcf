/** A process in which no driver is installed: opens a store and prints what that says. */
import { register } from 'node:module'
import { pino } from 'pino'

register(
  `data:text/javascript,${encodeURIComponent(`
    export function resolve(name, context, next) {
      if (['ioredis', 'pg', '@electric-sql/pglite'].includes(name)) {
        throw Object.assign(new Error('Cannot find package ' + name), { code: 'ERR_MODULE_NOT_FOUND' })
      }
      return next(name, context)
    }`)}`,
)
const { redis } = await import('../../src/stores/redis/index.ts')
const { postgres } = await import('../../src/stores/postgres/index.ts')
const { embedded } = await import('../../src/stores/embedded/index.ts')

const drivers = { redis: redis({ url: '' }), postgres: postgres({ url: '' }), embedded: embedded({ dataDir: '' }) }
const name = process.argv[2]
const driver = name === 'redis' || name === 'postgres' ? drivers[name] : drivers.embedded
try {
  await driver.open({ logger: pino({ level: 'silent' }), retention: { completed: 1, failed: 1 } })
} catch (error) {
  if (error instanceof Error && 'code' in error) process.stdout.write(`${String(error.code)}: ${error.message}`)
}
