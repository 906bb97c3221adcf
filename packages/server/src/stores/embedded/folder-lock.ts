/**
 * One owner for a data folder. Two processes on one PGlite folder lose acknowledged data without an error, so the second is refused.
 *
 * The lock is a file made by link(), which fails where there is one already. A holder that died without giving it back (kill -9) is known by
 * its process: not running, or running since another time (a number that was given again). On another host, as with containers that share a
 * volume, only the file's age can tell: holders touch it every few seconds.
 */
import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { StoreError } from '../store.ts'

export interface FolderLock {
  /** Gives the folder back. Idempotent. */
  release(): Promise<void>
}

interface Holder {
  readonly id: string
  readonly pid: number
  readonly host: string
  /** What the process calls itself, for the message to the second one. */
  readonly name: string
  readonly since: string
  /** Where the system tells it: when the process began, in the kernel's own count. */
  readonly began: string | null
}

const FILE = 'kinora.lock'
const TOUCH_EVERY = 5000
const ABANDONED_AFTER = 30_000
/** A contender that mistook a new lock for the dead one it replaced puts it back at once; the new holder looks again after this. */
const SETTLE = 50

/** Folders of this process: it cannot tell itself from itself by its number. */
const held = new Set<string>()

/**
 * Takes the folder, making it if need be.
 * @param name what to call this process in the message to a second one
 * @throws StoreError `folder_locked` naming the holder
 */
export async function lockFolder(folder: string, name = processName()): Promise<FolderLock> {
  const directory = resolve(folder)
  await mkdir(directory, { recursive: true })
  const file = join(directory, FILE)
  const mine: Holder = {
    id: randomUUID(),
    pid: process.pid,
    host: hostname(),
    name,
    since: new Date().toISOString(),
    began: await processBegan(process.pid),
  }
  if (held.has(directory)) throw locked(directory, mine)
  held.add(directory)
  try {
    await acquire(directory, file, mine)
  } catch (error) {
    held.delete(directory)
    throw error
  }

  const touching = setInterval(() => {
    const now = new Date()
    utimes(file, now, now).catch(() => undefined)
  }, TOUCH_EVERY)
  touching.unref()
  let released: Promise<void> | undefined
  return {
    release() {
      released ??= (async () => {
        clearInterval(touching)
        if ((await read(file))?.id === mine.id) await rm(file, { force: true })
        held.delete(directory)
      })()
      return released
    },
  }
}

async function acquire(directory: string, file: string, mine: Holder): Promise<void> {
  const draft = `${file}.${mine.id}`
  await writeFile(draft, JSON.stringify(mine))
  try {
    for (let attempt = 0; attempt < 20; attempt++) {
      if (await linked(draft, file)) {
        await delay(SETTLE)
        const holder = await read(file)
        if (holder?.id === mine.id) return
        continue
      }
      const holder = await read(file)
      if (holder === null) continue
      if (await isAlive(holder, file)) throw locked(directory, holder)
      await moveAside(file, holder, `${draft}.dead`)
    }
    throw new StoreError('folder_locked', `The folder ${directory} is being taken by several processes at once.`)
  } finally {
    await rm(draft, { force: true })
  }
}

async function linked(draft: string, file: string): Promise<boolean> {
  try {
    await link(draft, file)
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

/** Takes a dead holder's file away; what turns out to be somebody else's by then goes back. */
async function moveAside(file: string, dead: Holder, aside: string): Promise<void> {
  try {
    await rename(file, aside)
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return
    throw error
  }
  if ((await read(aside))?.id !== dead.id) await linked(aside, file)
  await rm(aside, { force: true })
}

async function read(file: string): Promise<Holder | null> {
  try {
    const holder: unknown = JSON.parse(await readFile(file, 'utf8'))
    if (isHolder(holder)) return holder
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null
    if (!(error instanceof SyntaxError)) throw error
  }
  // Unreadable: whoever wrote it is not of this version. Its age decides.
  return { id: '', pid: 0, host: '', name: 'an unknown process', since: '', began: null }
}

async function isAlive(holder: Holder, file: string): Promise<boolean> {
  if (holder.host !== hostname()) {
    const age = await stat(file).then(
      (info) => Date.now() - info.mtimeMs,
      () => Infinity,
    )
    return age < ABANDONED_AFTER
  }
  if (holder.pid === process.pid) return false
  try {
    process.kill(holder.pid, 0)
  } catch (error) {
    // EPERM: it runs, as somebody else.
    if (!hasCode(error, 'EPERM')) return false
  }
  const began = await processBegan(holder.pid)
  return began === null || holder.began === null || began === holder.began
}

/** When a process began, from Linux's /proc; null elsewhere. Its name may hold spaces and brackets, so count from the last bracket. */
async function processBegan(pid: number): Promise<string | null> {
  try {
    const line = await readFile(`/proc/${pid}/stat`, 'utf8')
    return line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? null
  } catch {
    return null
  }
}

function locked(directory: string, holder: Holder): StoreError {
  const where = holder.host && holder.host !== hostname() ? ` on ${holder.host}` : ''
  return new StoreError(
    'folder_locked',
    `The folder ${directory} is in use by ${holder.name} (process ${holder.pid}${where}, since ${holder.since}). Stop it, or choose another folder with DATA_DIR; several processes can share Redis or Postgres.`,
  )
}

function processName(): string {
  return process.title === 'node' ? `node ${process.argv[1]?.split(/[\\/]/).at(-1) ?? ''}`.trim() : process.title
}

function isHolder(value: unknown): value is Holder {
  return typeof value === 'object' && value !== null && 'id' in value && 'pid' in value && typeof value.pid === 'number'
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code
}
