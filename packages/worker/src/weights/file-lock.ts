/** One process at a time: a lock file that tells who holds it, and that a dead holder does not keep. */
import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface FileLockOptions {
  /** Stops the waiting; its reason is thrown. */
  readonly signal?: AbortSignal | undefined
  /** Called once when somebody else holds the lock, with who. */
  readonly onWait?: ((holder: string) => void) | undefined
  /** Milliseconds without a sign of life after which a holder on another machine counts as dead. Default: 60000. */
  readonly staleAfter?: number
  /** Milliseconds between two looks. Default: 250. */
  readonly pollEvery?: number
}

interface Holder {
  readonly id: string
  readonly pid: number
  readonly host: string
}

/**
 * Runs `work` while this process, and this call in it, alone holds the lock.
 * @param file the lock's path; its folder is made
 */
export async function withFileLock<T>(file: string, work: () => Promise<T>, options: FileLockOptions = {}): Promise<T> {
  const { staleAfter = 60_000 } = options
  const release = await acquire(file, options)
  // The holder says that it is alive, for those on other machines who cannot look for its process.
  const heartbeat = setInterval(() => void utimes(file, new Date(), new Date()).catch(() => undefined), staleAfter / 4)
  heartbeat.unref()
  try {
    return await work()
  } finally {
    clearInterval(heartbeat)
    await release()
  }
}

async function acquire(file: string, options: FileLockOptions): Promise<() => Promise<void>> {
  const { signal, onWait, staleAfter = 60_000, pollEvery = 250 } = options
  const me: Holder = { id: randomUUID(), pid: process.pid, host: hostname() }
  await mkdir(dirname(file), { recursive: true })
  for (let told = false; ;) {
    signal?.throwIfAborted()
    if (await create(file, me)) return () => releaseLock(file, me)
    const text = await readFile(file, 'utf8').catch(() => '')
    if (await isDead(file, text, staleAfter)) {
      await evict(file, text)
      continue
    }
    if (!told) onWait?.(describe(text))
    told = true
    await sleep(pollEvery, undefined, { signal }).catch(() => undefined)
  }
}

/** The lock appears with its content in one step: written aside, then linked to its name, which fails where one is already. */
async function create(file: string, me: Holder): Promise<boolean> {
  const aside = `${file}.${me.id}`
  await writeFile(aside, JSON.stringify(me))
  try {
    await link(aside, file)
    return true
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false
    throw error
  } finally {
    await rm(aside, { force: true })
  }
}

async function isDead(file: string, text: string, staleAfter: number): Promise<boolean> {
  const holder = parseHolder(text)
  if (holder?.host === hostname()) return !processLives(holder.pid)
  const modified = await stat(file).then(
    (found) => found.mtimeMs,
    () => Date.now(),
  )
  return Date.now() - modified > staleAfter
}

/** Moves a dead holder's lock away; if somebody else was faster and it is a living one by now, puts it back. */
async function evict(file: string, text: string): Promise<void> {
  const aside = `${file}.${randomUUID()}`
  const moved = await rename(file, aside).then(
    () => true,
    () => false,
  )
  if (!moved) return
  if ((await readFile(aside, 'utf8')) !== text) await link(aside, file).catch(() => undefined)
  await rm(aside, { force: true })
}

async function releaseLock(file: string, me: Holder): Promise<void> {
  const holder = parseHolder(await readFile(file, 'utf8').catch(() => ''))
  if (holder?.id === me.id) await rm(file, { force: true })
}

function parseHolder(text: string): Holder | undefined {
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed !== 'object' || parsed === null) return undefined
    const { id, pid, host }: Partial<Record<string, unknown>> = { ...parsed }
    if (typeof id !== 'string' || typeof pid !== 'number' || typeof host !== 'string') return undefined
    return { id, pid, host }
  } catch {
    return undefined
  }
}

function processLives(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it lives, but belongs to somebody else.
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

function describe(text: string): string {
  const holder = parseHolder(text)
  return holder ? `process ${holder.pid} on ${holder.host}` : 'another process'
}
