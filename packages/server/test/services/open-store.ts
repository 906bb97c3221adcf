/** Opens a store by its kind, for processes that are told of it on their command line. */
import { pino } from 'pino'
import { embedded } from '../../src/stores/embedded/index.ts'
import { postgres } from '../../src/stores/postgres/index.ts'
import { redis } from '../../src/stores/redis/index.ts'
import type { Store } from '../../src/stores/store.ts'

export function openStore(kind: string, address: string): Promise<Store> {
  const driver =
    kind === 'redis'
      ? redis({ url: address })
      : kind === 'postgres'
        ? postgres({ url: address })
        : embedded({ dataDir: address, template: process.env.KINORA_TEST_TEMPLATE })
  return driver.open({ logger: pino({ level: 'silent' }), retention: { completed: 60, failed: 60 } })
}
