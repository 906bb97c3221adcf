/** The store for one process: Postgres compiled to WebAssembly, inside the process, in a data folder. Survives kill -9. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isMissing, missing } from '../missing.ts'
import { backendOn, migrate } from '../sql/open.ts'
import { pingWithin } from '../ping.ts'
import { createSqlCounters } from '../sql/counter.ts'
import { createSqlHistory } from '../sql/history.ts'
import { createSqlStates } from '../sql/states.ts'
import { type StoreDriver, StoreError } from '../store.ts'
import { lockFolder } from './folder-lock.ts'
import { createPglitePool } from './pglite-pool.ts'
import { unpackTemplate } from './template.ts'

export interface EmbeddedOptions {
  /** The data folder, made if need be. One process at a time may use it. */
  readonly dataDir: string
  /**
   * A file that a new folder begins with, so that Postgres need not be set up in it (`kinora` brings one). One that cannot be read, or is of another version of
   * Postgres, is left aside.
   */
  readonly template?: string | undefined
}

/**
 * A store in a folder, without any other program. Needs the package `@electric-sql/pglite`.
 *
 * @example
 * createKinora({ store: embedded({ dataDir: './.kinora' }), … })
 */
export function embedded({ dataDir, template }: EmbeddedOptions): StoreDriver {
  return {
    name: 'embedded',
    async open() {
      const { PGlite } = await import('@electric-sql/pglite').catch((cause: unknown) => {
        throw isMissing(cause) ? missing('The embedded queue', '@electric-sql/pglite', cause) : cause
      })
      const lock = await lockFolder(dataDir)
      const folder = join(dataDir, 'queue')
      try {
        const database = await openFolder(folder, template, (dataDir) => PGlite.create({ dataDir })).catch(
          (cause: unknown) => {
            throw new StoreError(
              'unreachable',
              `The queue in ${folder} cannot be opened: ${cause instanceof Error ? cause.message : String(cause)}. If it is damaged, move it away and start anew.`,
              { cause },
            )
          },
        )
        const pool = createPglitePool(database)
        await migrate(pool)
        // The one session there is: BullMQ's commands name no schema.
        await pool.query('SET search_path TO bullmq')
        let closing: Promise<void> | undefined
        return {
          name: 'embedded',
          backend: backendOn(pool),
          history: createSqlHistory(pool),
          states: createSqlStates(pool),
          counter: createSqlCounters(pool),
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

/** A template that does not work out costs its time and nothing else. */
async function openFolder<Database>(
  folder: string,
  template: string | undefined,
  open: (folder: string) => Promise<Database>,
): Promise<Database> {
  const unpacked = template !== undefined && (await unpackTemplate(template, folder).catch(() => false))
  try {
    return await open(folder)
  } catch (error) {
    if (!unpacked) throw error
    await rm(folder, { recursive: true, force: true })
    return open(folder)
  }
}

export { lockFolder, type FolderLock } from './folder-lock.ts'
