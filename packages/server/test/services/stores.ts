/** All kinds of stores that tests run on, and what each needs to be started first. */
import { postgresMissing, startPostgres } from './postgres.ts'
import { redisMissing, startRedis } from './redis.ts'
import type { Service } from './service.ts'

export interface StoreKind {
  readonly kind: 'embedded' | 'redis' | 'postgres'
  /** Why it cannot be tested here. */
  readonly missing: string | false
  /** Null where nothing has to run. */
  readonly start: (() => Promise<Service>) | null
}

export const STORES: readonly StoreKind[] = [
  { kind: 'embedded', missing: false, start: null },
  { kind: 'redis', missing: redisMissing, start: startRedis },
  { kind: 'postgres', missing: postgresMissing, start: startPostgres },
]
