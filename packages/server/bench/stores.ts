/** The stores that are found on this machine, each contender with one of its own: a private Redis or Postgres, or a folder. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StoreDriver, StoreName } from '../src/stores/store.ts'
import { embedded } from '../src/stores/embedded/index.ts'
import { postgres } from '../src/stores/postgres/index.ts'
import { redis } from '../src/stores/redis/index.ts'
import { postgresMissing, startPostgres } from '../test/services/postgres.ts'
import { redisMissing, startRedis } from '../test/services/redis.ts'

export interface RunningStore {
  /** A URL, or a folder. */
  readonly address: string
  dispose(): Promise<void>
}

/** Those named in STORES (`STORES=redis,embedded`), or all that can run here. */
export function storesHere(): StoreName[] {
  const wanted = process.env['STORES']?.split(',')
  const missing = { embedded: false, redis: redisMissing, postgres: postgresMissing } as const
  return (['embedded', 'redis', 'postgres'] as const).filter((name) => {
    if (wanted && !wanted.includes(name)) return false
    if (missing[name] !== false) console.log(missing[name])
    return missing[name] === false
  })
}

export async function startStore(name: StoreName): Promise<RunningStore> {
  if (name === 'embedded') {
    const folder = await mkdtemp(join(tmpdir(), 'kinora-bench-store-'))
    return { address: folder, dispose: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }) }
  }
  const service = await (name === 'redis' ? startRedis() : startPostgres())
  return { address: service.url, dispose: () => service.dispose() }
}

export function openDriver(name: StoreName, address: string): StoreDriver {
  if (name === 'embedded') return embedded({ dataDir: address })
  return name === 'redis' ? redis({ url: address }) : postgres({ url: address })
}
