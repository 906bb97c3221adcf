import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { serve } from '@hono/node-server'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { storageConformance } from '../../../test/storage/conformance.ts'
import { STORAGE_PATH, type Storage } from '../storage.ts'
import { createDiskStorage } from './disk-storage.ts'

/** The driver, served over HTTP under a prefix as it would be when mounted. */
async function openDisk() {
  const folder = await mkdtemp(path.join(tmpdir(), 'kinora-disk-'))
  const root = `/mounted${STORAGE_PATH}/`
  let publicUrl = ''
  let offset = 0
  const storage = createDiskStorage({
    folder,
    publicUrl: () => publicUrl,
    now: () => new Date(Date.now() + offset * 1000),
  })
  const server = serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: (request) => storage.serve!(request, new URL(request.url).pathname.slice(root.length)),
  })
  await new Promise((resolve) => server.once('listening', resolve))
  publicUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mounted/`
  return {
    folder,
    storage,
    advance: (seconds: number) => void (offset += seconds),
    close: async () => {
      server.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

storageConformance('disk', openDisk)

describe('the disk driver', () => {
  let disk: Awaited<ReturnType<typeof openDisk>>
  let storage: Storage
  let url: string
  beforeAll(async () => {
    disk = await openDisk()
    storage = disk.storage
    await storage.put('video.mp4', new TextEncoder().encode('0123456789'), { contentType: 'video/mp4' })
    url = await storage.presignGet('video.mp4', { expiresIn: 600 })
  })
  afterAll(() => disk.close())

  const get = (headers: Record<string, string>, method = 'GET') => fetch(url, { method, headers })

  it('answers HEAD with the headers of GET and no body', async () => {
    const head = await get({}, 'HEAD')
    expect(head.status).toBe(200)
    expect(head.headers.get('content-length')).toBe('10')
    expect(head.headers.get('accept-ranges')).toBe('bytes')
    expect(await head.text()).toBe('')
  })

  it('spares a client what it has already', async () => {
    const first = await get({})
    await first.text()
    const etag = first.headers.get('etag')!
    const modified = first.headers.get('last-modified')!
    expect((await get({ 'if-none-match': etag })).status).toBe(304)
    expect((await get({ 'if-none-match': `"other", W/${etag}` })).status).toBe(304)
    expect((await get({ 'if-none-match': '"other"' })).status).toBe(200)
    expect((await get({ 'if-modified-since': modified })).status).toBe(304)
    expect((await get({ 'if-match': '"other"' })).status).toBe(412)
    expect((await get({ 'if-unmodified-since': new Date(0).toUTCString() })).status).toBe(412)
  })

  it('answers odd ranges as the RFC says', async () => {
    const range = async (value: string, more: Record<string, string> = {}) => {
      const answer = await get({ range: value, ...more })
      return [answer.status, await answer.text()]
    }
    expect(await range('bytes=-3')).toEqual([206, '789'])
    expect(await range('bytes=-30')).toEqual([206, '0123456789'])
    expect(await range('bytes=8-99')).toEqual([206, '89'])
    expect(await range('bytes=0-0')).toEqual([206, '0'])
    expect(await range('bytes=4-2')).toEqual([200, '0123456789'])
    expect(await range('bytes=0-1,3-4')).toEqual([200, '0123456789'])
    expect(await range('lines=0-1')).toEqual([200, '0123456789'])
    expect(await range('bytes=0-1', { 'if-range': '"stale"' })).toEqual([200, '0123456789'])
    expect((await range('bytes=-0'))[0]).toBe(416)
  })

  it('refuses a body over the limit while it arrives, and leaves no draft behind', async () => {
    const put = await storage.presignPut('big.jpg', { contentType: 'image/jpeg', maxBytes: 1000, expiresIn: 60 })
    const declared = await fetch(put.url, { method: 'PUT', headers: put.headers, body: new Uint8Array(1001) })
    expect(declared.status).toBe(413)
    const stream = new Blob([new Uint8Array(900), new Uint8Array(900)]).stream()
    const init: RequestInit = { method: 'PUT', headers: put.headers, body: stream, duplex: 'half' }
    expect((await fetch(put.url, init)).status).toBe(413)
    expect(await storage.head('big.jpg')).toBeNull()
    expect(await readdir(path.join(disk.folder, 'drafts'))).toEqual([])
  })

  it('keeps its signing key to itself and uses it again', async () => {
    const key = path.join(disk.folder, 'signing-key')
    if (process.platform !== 'win32') expect((await stat(key)).mode & 0o777).toBe(0o600)
    const again = createDiskStorage({ folder: disk.folder, publicUrl: new URL(url).origin })
    const other = new URL(await again.presignGet('video.mp4', { expiresIn: 600 }))
    const mounted = new URL(`/mounted${other.pathname}${other.search}`, url)
    expect((await fetch(mounted)).status).toBe(200)
  })

  it('gives one key to processes that start together', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'kinora-key-'))
    const now = () => new Date(1_000_000_000_000)
    const urls = await Promise.all(
      Array.from({ length: 8 }, () =>
        createDiskStorage({ folder, publicUrl: 'http://localhost', now }).presignGet('x', { expiresIn: 60 }),
      ),
    )
    expect(new Set(urls).size).toBe(1)
    expect(await readdir(folder)).toEqual(['signing-key'])
    await rm(folder, { recursive: true })
  })

  it('removes what a killed writer has left behind', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'kinora-drafts-'))
    const drafts = path.join(folder, 'drafts')
    await mkdir(drafts)
    for (const name of ['old', 'new']) await writeFile(path.join(drafts, name), 'half a vid')
    const dayBefore = Date.now() / 1000 - 25 * 3600
    await utimes(path.join(drafts, 'old'), dayBefore, dayBefore)
    await createDiskStorage({ folder, publicUrl: 'http://localhost' }).put('a', new Uint8Array(1), {
      contentType: 'image/jpeg',
    })
    expect(await readdir(drafts)).toEqual(['new'])
    await rm(folder, { recursive: true })
  })

  it('removes folders that have become empty, and none of its own', async () => {
    await storage.put('deep/er/file', new Uint8Array(1), { contentType: 'image/jpeg' })
    await storage.delete('deep/er/file')
    expect(await readdir(path.join(disk.folder, 'objects'))).toEqual(['video.mp4'])
  })
})
