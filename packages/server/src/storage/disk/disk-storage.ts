/** The disk driver: objects are plain files in a folder, and signed URLs lead back to this server, which serves them itself. */
import type { BigIntStats } from 'node:fs'
import { copyFile, link, mkdir, open, opendir, rm, rmdir, stat } from 'node:fs/promises'
import path from 'node:path'
import { checkKey, checkPrefix } from '../key.ts'
import {
  type ListedObject,
  MAX_PRESIGN_SECONDS,
  type ObjectInfo,
  type Storage,
  STORAGE_PATH,
  StorageError,
} from '../storage.ts'
import { createContentTypes } from './content-type.ts'
import { ignoreMissing, isCode } from './file-error.ts'
import { moveIntoPlace, readRange, removeOldDrafts, writeDraft } from './object-file.ts'
import { serveObject } from './serve.ts'
import { type Grant, signGrant } from './signed-url.ts'
import { readSigningKey } from './signing-key.ts'

export interface DiskStorageOptions {
  /** Holds `objects/`, `types/`, `drafts/` and the signing key. One folder may be shared by several processes of one machine. */
  readonly folder: string
  /** Where Kinora is reached, mount prefix included; a function where that is known only once the server listens. */
  readonly publicUrl: string | (() => string)
  /** Signs URLs. Default: a random key, kept in the folder. */
  readonly signingKey?: Uint8Array | string
  /** Default: the clock. */
  readonly now?: () => Date
}

export function createDiskStorage(options: DiskStorageOptions): Storage {
  const { now = () => new Date() } = options
  const objects = path.resolve(options.folder, 'objects')
  const drafts = path.resolve(options.folder, 'drafts')
  const types = createContentTypes(path.resolve(options.folder, 'types'), drafts)
  const fileOf = (key: string): string => path.join(objects, ...checkKey(key).split('/'))

  let signingKey: Promise<Uint8Array> | undefined
  const readKey = (): Promise<Uint8Array> => {
    signingKey ??=
      options.signingKey === undefined
        ? readSigningKey(path.resolve(options.folder))
        : Promise.resolve(Buffer.from(options.signingKey))
    return signingKey
  }

  let cleaned: Promise<void> | undefined
  /** Once in a process: what writers that were killed have left behind. */
  const cleanDrafts = (): Promise<void> => (cleaned ??= removeOldDrafts(drafts, now()).catch(() => undefined))

  async function sign(grant: Grant): Promise<string> {
    const base = typeof options.publicUrl === 'string' ? options.publicUrl : options.publicUrl()
    const query = signGrant(grant, await readKey())
    return `${base.replace(/\/+$/, '')}${STORAGE_PATH}/${grant.key}?${query.toString()}`
  }

  const expiry = (expiresIn: number): number => {
    if (!(expiresIn > 0) || expiresIn > MAX_PRESIGN_SECONDS) {
      throw new StorageError('invalid_option', `A signed URL lives 1 to ${MAX_PRESIGN_SECONDS} s, not ${expiresIn} s.`)
    }
    return Math.floor(now().getTime() / 1000 + expiresIn)
  }

  const storage: Storage = {
    name: 'disk',

    put: (key, body, { contentType, maxBytes }) =>
      guard(async () => {
        const target = fileOf(key)
        await cleanDrafts()
        const draft = await writeDraft(drafts, body, maxBytes)
        try {
          await types.write(key, contentType)
          await moveIntoPlace(draft.file, target)
        } finally {
          await rm(draft.file, { force: true })
        }
        return expectHead(key)
      }),

    get: (key) =>
      guard(async () => {
        const handle = await open(fileOf(key), 'r').catch(ignoreMissing)
        if (!handle) return null
        try {
          const stats = await handle.stat({ bigint: true })
          if (!stats.isFile()) {
            await handle.close()
            return null
          }
          const info = describe(key, stats, await types.read(key))
          return { ...info, body: readRange(handle, 0, info.size - 1) }
        } catch (error) {
          await handle.close().catch(() => undefined)
          throw error
        }
      }),

    head: (key) =>
      guard(async () => {
        const stats = await stat(fileOf(key), { bigint: true }).catch(ignoreMissing)
        return stats?.isFile() ? describe(key, stats, await types.read(key)) : null
      }),

    delete: (key) =>
      guard(async () => {
        const file = fileOf(key)
        await rm(file, { force: true }).catch(ignoreMissing)
        await types.remove(key)
        await removeEmptyFolders(path.dirname(file), objects)
      }),

    copy: (from, to) =>
      guard(async () => {
        const contentType = await types.read(from)
        const target = fileOf(to)
        await mkdir(drafts, { recursive: true })
        const draft = path.join(drafts, crypto.randomUUID())
        try {
          await copyFile(fileOf(from), draft).catch(notFound(from))
          await types.write(to, contentType)
          await moveIntoPlace(draft, target)
        } finally {
          await rm(draft, { force: true })
        }
        return expectHead(to)
      }),

    link: (from, to, { contentType, etag }) =>
      guard(async () => {
        const target = fileOf(to)
        await mkdir(drafts, { recursive: true })
        const draft = path.join(drafts, crypto.randomUUID())
        try {
          await linkFile(fileOf(from), draft).catch(notFound(from))
          // The link holds on to these bytes, whatever becomes of the object they were.
          if (etagOf(await stat(draft, { bigint: true })) !== etag) {
            throw new StorageError('not_found', `"${from}" is another object by now.`)
          }
          await types.write(to, contentType)
          await moveIntoPlace(draft, target)
        } finally {
          await rm(draft, { force: true })
        }
        return expectHead(to)
      }),

    promote: (from, to) =>
      guard(async () => {
        const source = fileOf(from)
        const target = fileOf(to)
        await stat(source).catch(notFound(from))
        await types.write(to, await types.read(from))
        await moveIntoPlace(source, target).catch(notFound(from))
        await types.remove(from)
        await removeEmptyFolders(path.dirname(source), objects)
        return expectHead(to)
      }),

    list: (prefix) => walk(path.join(objects, ...checkPrefix(prefix).split('/')), prefix),

    presignPut: async (key, { contentType, contentLength, maxBytes, expiresIn }) => ({
      url: await sign({
        method: 'PUT',
        key: checkKey(key),
        expires: expiry(expiresIn),
        contentType,
        maxBytes,
        contentLength,
      }),
      headers: { 'content-type': contentType },
    }),

    presignGet: async (key, { expiresIn, downloadName }) =>
      sign({ method: 'GET', key: checkKey(key), expires: expiry(expiresIn), downloadName }),

    serve: async (request, key) =>
      serveObject({
        request,
        key,
        storage,
        open: () => open(fileOf(key), 'r'),
        signingKey: await readKey(),
        now: now(),
      }),

    check: () =>
      guard(async () => {
        const draft = await writeDraft(drafts, new Uint8Array([1]))
        await rm(draft.file)
      }),

    close: async () => {},
  }

  async function expectHead(key: string): Promise<ObjectInfo> {
    const info = await storage.head(key)
    if (!info) throw new StorageError('not_found', `"${key}" was removed while it was being written.`)
    return info
  }

  return storage
}

function describe(key: string, stats: BigIntStats, contentType: string): ObjectInfo {
  return { key, size: Number(stats.size), contentType, etag: etagOf(stats), lastModified: stats.mtime }
}

function etagOf({ ino, size, mtimeNs }: BigIntStats): string {
  return `"${[ino, size, mtimeNs].map((part) => part.toString(36)).join('-')}"`
}

/** A second name for the file's bytes; a copy of them where the file system has no such thing. */
async function linkFile(from: string, to: string): Promise<void> {
  try {
    await link(from, to)
  } catch (error) {
    if (!isCode(error, 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error
    await copyFile(from, to)
  }
}

async function* walk(folder: string, prefix: string): AsyncGenerator<ListedObject> {
  const entries = await opendir(folder).catch(ignoreMissing)
  if (!entries) return
  for await (const entry of entries) {
    const key = prefix + entry.name
    if (entry.isDirectory()) {
      yield* walk(path.join(folder, entry.name), `${key}/`)
      continue
    }
    const stats = await stat(path.join(folder, entry.name)).catch(ignoreMissing)
    if (stats?.isFile()) yield { key, size: stats.size, lastModified: stats.mtime }
  }
}

async function removeEmptyFolders(folder: string, root: string): Promise<void> {
  let current = folder
  while (current.startsWith(root + path.sep)) {
    try {
      await rmdir(current)
    } catch {
      return
    }
    current = path.dirname(current)
  }
}

function notFound(key: string): (error: unknown) => never {
  return (cause) => {
    if (isCode(cause, 'ENOENT', 'ENOTDIR'))
      throw new StorageError('not_found', `There is no object "${key}".`, { cause })
    throw cause
  }
}

/** What the file system complains about becomes a StorageError that says what to do. */
async function guard<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isCode(error, 'ENOSPC', 'EDQUOT')) {
      throw new StorageError('unavailable', 'The disk is full: free space, or move DATA_DIR.', { cause: error })
    }
    if (isCode(error, 'EACCES', 'EPERM', 'EROFS', 'EMFILE', 'ENFILE', 'EIO')) {
      throw new StorageError('unavailable', `The storage folder cannot be used (${(error as Error).message}).`, {
        cause: error,
      })
    }
    throw error
  }
}
