/** Files: pictures by path, and videos that appear whole or not at all. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readFixture } from '@kinora/protocol/fixtures'
import { isApiError, Kinora } from '../src/index.ts'
import { downloadTo, fromPath } from '../src/node.ts'
import { type CutProxy, cutProxy, serve, type Served, serveMock } from './serve.ts'

const jpeg = new Uint8Array([0xff, 0xd8, 0xff, 0xe0, 1, 2, 3, 4])
const video = Uint8Array.from({ length: 300_000 }, (_, at) => (at * 7919) % 251)

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kinora-sdk-'))
})
afterEach(() => rm(folder, { recursive: true }))

describe('fromPath', () => {
  test('gives a File with the picture’s bytes and name', async () => {
    await writeFile(join(folder, 'cat.jpg'), jpeg)
    const file = await fromPath(join(folder, 'cat.jpg'))
    expect([file.name, new Uint8Array(await file.arrayBuffer())]).toEqual(['cat.jpg', jpeg])
  })

  test('says what is wrong with a path', async () => {
    await expect(fromPath(join(folder, 'none.jpg'))).rejects.toThrow(/There is no picture to read at .*none\.jpg/)
    await expect(fromPath(folder)).rejects.toThrow(/is not a file/)
    await writeFile(join(folder, 'huge.jpg'), new Uint8Array(21 * 1024 * 1024))
    await expect(fromPath(join(folder, 'huge.jpg'))).rejects.toThrow(/at most 20971520/)
  })
})

describe('downloadTo', () => {
  let served: Awaited<ReturnType<typeof serveMock>>
  let kinora: Kinora
  let job_id: string
  beforeEach(async () => {
    served = await serveMock({ stepInterval: false, video })
    kinora = new Kinora({ baseUrl: served.url })
    ;({ job_id } = await kinora.generate({ image: jpeg }))
  })
  afterEach(() => served.close())

  test('writes the video, and tells how far it is', async () => {
    served.mock.complete(job_id)
    const told: number[] = []
    const path = join(folder, 'cat.mp4')
    await writeFile(path, 'an older video')
    const result = await downloadTo(kinora, job_id, path, {
      onProgress: ({ loaded, total }) => told.push(loaded / (total ?? 0)),
    })
    expect(result).toEqual({ path, bytes: video.length })
    expect(new Uint8Array(await readFile(path))).toEqual(video)
    expect(told.at(-1)).toBe(1)
    expect(await readdir(folder)).toEqual(['cat.mp4'])
  })

  test('leaves no file behind when there is no video', async () => {
    const error: unknown = await downloadTo(kinora, job_id, join(folder, 'cat.mp4')).catch((reason: unknown) => reason)
    expect(isApiError(error) && error.code).toBe('job_not_completed')
    expect(await readdir(folder)).toEqual([])
  })
})

describe('a connection that breaks', () => {
  let storage: Served
  let proxy: CutProxy
  let ranges: (string | undefined)[]
  let etag: () => string
  let resumes: boolean

  beforeEach(async () => {
    ranges = []
    resumes = true
    etag = () => '"one"'
    storage = await serve((request, response) => {
      if (request.url?.includes('presign')) {
        return response.end(JSON.stringify({ ...readFixture('presign-download'), download_url: `${proxy.url}/video` }))
      }
      const { range } = request.headers
      ranges.push(range)
      const first = Number(/\d+/.exec(range ?? '')?.[0] ?? 0)
      const whole = !resumes || first === 0 || request.headers['if-range'] !== etag()
      const bytes = whole ? video : video.subarray(first)
      response.writeHead(whole ? 200 : 206, { 'content-length': bytes.length, etag: etag() })
      return response.end(bytes)
    })
    proxy = await cutProxy(storage.url)
    proxy.cutAfter = 100_000
  })
  afterEach(async () => {
    await proxy.close()
    await storage.close()
  })

  const download = (retries?: number) =>
    downloadTo(new Kinora({ baseUrl: storage.url }), 'job_1', join(folder, 'cat.mp4'), { retries })

  test('is resumed where it broke', async () => {
    await download()
    expect(new Uint8Array(await readFile(join(folder, 'cat.mp4')))).toEqual(video)
    expect(ranges[0]).toBeUndefined()
    expect(ranges[1]).toMatch(/^bytes=[1-9]\d+-$/)
  })

  test('begins anew when the video changed or the storage cannot resume', async () => {
    for (const change of ['tag', 'no ranges']) {
      ranges = []
      proxy.cutAfter = 100_000
      if (change === 'no ranges') resumes = false
      else etag = () => (ranges.length > 1 ? '"two"' : '"one"')
      const downloading = download()
      await expect.poll(() => ranges.length, { timeout: 10_000 }).toBe(1)
      proxy.cutAfter = Infinity
      await downloading
      expect(new Uint8Array(await readFile(join(folder, 'cat.mp4')))).toEqual(video)
    }
  })

  test('for good leaves nothing under the name', async () => {
    proxy.cutAfter = 0
    await expect(download(1)).rejects.toThrow()
    expect(await readdir(folder)).toEqual([])
  })
})
