/** The store for one process: Postgres compiled to WebAssembly, inside the process, in a data folder. Survives kill -9. */
import { join } from 'node:path'
import { isMissing, missing } from '../missing.ts'
import { backendOn, migrate } from '../sql/open.ts'
import { pingWithin } from '../ping.ts'
import { createSqlHistory } from '../sql/history.ts'
import { type StoreDriver, StoreError } from '../store.ts'
import { lockFolder } from './folder-lock.ts'
import { createPglitePool } from './pglite-pool.ts'

export interface EmbeddedOptions {
  /** The data folder, made if need be. One process at a time may use it. */
  readonly dataDir: string
}

/**
 * A store in a folder, without any other program. Needs the package `@electric-sql/pglite`.
 *
 * @example
 * createKinora({ store: embedded({ dataDir: './.kinora' }), … })
 */
export function embedded({ dataDir }: EmbeddedOptions): StoreDriver {
  return {
    name: 'embedded',
    async open() {
      const { PGlite } = await import('@electric-sql/pglite').catch((cause: unknown) => {
        throw isMissing(cause) ? missing('The embedded queue', '@electric-sql/pglite', cause) : cause
      })
      const lock = await lockFolder(dataDir)
      const folder = join(dataDir, 'queue')
      try {
        const database = await PGlite.create({ dataDir: folder }).catch((cause: unknown) => {
          throw new StoreError(
            'unreachable',
            `The queue in ${folder} cannot be opened: ${cause instanceof Error ? cause.message : String(cause)}. If it is damaged, move it away and start anew.`,
            { cause },
          )
        })
        const pool = createPglitePool(database)
        await migrate(pool)
        // The one session there is: BullMQ's commands name no schema.
        await pool.query('SET search_path TO bullmq')
        let closing: Promise<void> | undefined
        return {
          name: 'embedded',
          backend: backendOn(pool),
          history: createSqlHistory(pool),
          ping: () => pingWithin(2000, 'embedded', () => pool.query('SELECT 1')),
          close() {
            closing ??= (async () => {
              await pool.end()
              await database.close()
              await lock.release()
            })()
            return closing
          },
        }
      } catch (error) {
        await lock.release()
        throw error
      }
    },
  }
}

export { lockFolder, type FolderLock } from './folder-lock.ts'
