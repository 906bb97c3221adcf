/** A store by its kind, for processes that are told of it on their command line. */
import { pino } from 'pino'
import { embedded } from '../../src/stores/embedded/index.ts'
import { postgres } from '../../src/stores/postgres/index.ts'
import { redis } from '../../src/stores/redis/index.ts'
import type { Store, StoreDriver } from '../../src/stores/store.ts'

/** @param address a URL; of an embedded store its folder */
export function driverOf(kind: string, address: string): StoreDriver {
  if (kind === 'redis') return redis({ url: address })
  if (kind === 'postgres') return postgres({ url: address })
  return embedded({ dataDir: address, template: process.env.KINORA_TEST_TEMPLATE })
}

export function openStore(kind: string, address: string): Promise<Store> {
  const logger = pino({ level: 'silent' })
  return driverOf(kind, address).open({ logger, retention: { completed: 60, failed: 60 } })
}
