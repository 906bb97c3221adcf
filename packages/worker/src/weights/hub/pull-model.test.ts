import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstat, mkdir, mkdtemp, readFile, readdir, realpath, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { NEEDED, REPOSITORY, SINGLE_FILE } from '../../../test/fixtures/hub/repository.ts'
import { float32, safetensorsBytes } from '../../../test/fixtures/hub/write-safetensors.ts'
import { gitId, sha256, startHub, type StandIn } from '../../../test/fixtures/hub/stand-in.ts'
import { openWeights, quantizeWeights } from '../index.ts'
import {
  listModels,
  pullModel,
  removeModel,
  resolveModelPath,
  verifyModel,
  type PullOptions,
  type PullProgress,
} from './index.ts'

const ID = 'Lightricks/LTX-Video'
const LARGEST = 'transformer/diffusion_pytorch_model-00001-of-00001.safetensors'

let cacheDir: string
let hub: StandIn
let waits: number[]
beforeEach(async () => {
  cacheDir = await realpath(await mkdtemp(join(tmpdir(), 'kinora-models-')))
  hub = await startHub(ID, REPOSITORY)
  waits = []
})
afterEach(async () => {
  await hub.close()
  await rm(cacheDir, { recursive: true, force: true })
})

/** Options for the stand-in; pauses between attempts are noted instead of waited for. */
function options(more: Partial<PullOptions> = {}): PullOptions {
  const wait = async (milliseconds: number): Promise<void> => {
    waits.push(milliseconds)
  }
  return { id: ID, cacheDir, endpoint: hub.endpoint, wait, ...more }
}

async function filesIn(folder: string): Promise<Record<string, Buffer>> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true })
  const paths = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
  const visible = paths.filter((path) => !path.startsWith('.kinora')).toSorted()
  return Object.fromEntries(
    await Promise.all(visible.map(async (path) => [path, await readFile(join(folder, path))] as const)),
  )
}

function asBuffers(files: Record<string, Uint8Array | string>): Record<string, Buffer> {
  return Object.fromEntries(Object.entries(files).map(([path, content]) => [path, Buffer.from(content)]))
}

const modelFolder = (): string => join(cacheDir, 'models', ID)

test('downloads the files that the engine needs, and not one of the others', async () => {
  const pulled = await pullModel(options())
  expect(pulled).toMatchObject({ id: ID, path: modelFolder(), bytesReused: 0 })
  expect(await filesIn(pulled.path)).toEqual(asBuffers(NEEDED))
  expect(hub.downloads().toSorted()).toEqual(Object.keys(NEEDED).toSorted())
  expect(pulled.bytesDownloaded).toBe(pulled.bytesTotal)
  expect(hub.requests.every(({ path }) => !path.includes('/resolve/main/'))).toBe(true)
})

test('a single-file checkpoint comes with text encoder, tokenizer, and the upscaler of its version', async () => {
  const pulled = await pullModel(options({ id: `${ID}:${SINGLE_FILE}` }))
  expect(pulled.path).toBe(join(modelFolder(), SINGLE_FILE))
  expect(hub.downloads().toSorted()).toEqual(
    [
      'License.txt',
      SINGLE_FILE,
      'ltxv-spatial-upscaler-0.9.8.safetensors',
      ...Object.keys(NEEDED).filter((path) => /^(text_encoder|tokenizer)\//.test(path)),
    ].toSorted(),
  )
})

test.each(['ltxv-13b-0.9.7-distilled-lora128.safetensors', 'ltxv-spatial-upscaler-0.9.7.safetensors'])(
  '%s comes alone: what it is added to is there already',
  async (file) => {
    hub.files.set(file, Buffer.from(safetensorsBytes({ w: float32([1]) })))
    const { path } = await pullModel(options({ id: `${ID}:${file}` }))
    expect(path).toBe(join(modelFolder(), file))
    expect(hub.downloads().toSorted()).toEqual(['License.txt', file])
  },
)

test('the second pull asks whether anything is new, and downloads nothing', async () => {
  await pullModel(options())
  hub.requests.length = 0
  expect((await pullModel(options())).bytesDownloaded).toBe(0)
  expect(hub.requests).toHaveLength(1)
})

test('after a new commit only what has changed is downloaded, and what is gone is deleted', async () => {
  await pullModel(options())
  hub.files.set('vae/config.json', Buffer.from('{"c": 4}'))
  hub.files.delete('License.txt')
  hub.requests.length = 0
  const { path } = await pullModel(options())
  expect(hub.downloads()).toEqual(['vae/config.json'])
  expect(await readFile(join(path, 'vae/config.json'), 'utf8')).toBe('{"c": 4}')
  expect(Object.keys(await filesIn(path))).not.toContain('License.txt')
})

test('tells how far it is, and ends with everything', async () => {
  const told: PullProgress[] = []
  const { bytesTotal } = await pullModel(options({ onProgress: (progress) => told.push(progress) }))
  expect(told[0]?.phase).toBe('listing')
  expect(told.at(-1)).toMatchObject({
    phase: 'done',
    bytesDone: bytesTotal,
    bytesTotal,
    filesDone: 14,
    filesTotal: 14,
    secondsLeft: 0,
  })
  const bytes = told.map((progress) => progress.bytesDone)
  expect(bytes).toEqual(bytes.toSorted((a, b) => a - b))
})

test('goes on where the connection was cut, within a pull', async () => {
  hub.faults.set(LARGEST, [
    { kind: 'cut', after: 100_000 },
    { kind: 'cut', after: 50_000 },
  ])
  const { path } = await pullModel(options())
  expect(await filesIn(path)).toEqual(asBuffers(NEEDED))
  const ranges = hub.requests
    .filter((request) => request.host === 'cdn' && request.path.includes('transformer'))
    .map((request) => request.range)
  expect(ranges[0]).toBeUndefined()
  expect(ranges.slice(1).every((range) => /^bytes=[1-9]\d*-$/.test(range ?? ''))).toBe(true)
  expect(waits).toHaveLength(2)
})

test('goes on where an earlier pull has ended', async () => {
  hub.faults.set(LARGEST, [{ kind: 'cut', after: 150_000 }])
  const first = pullModel(options({ retries: 0 }))
  await expect(first).rejects.toMatchObject({
    code: 'download_cut',
    message: expect.stringMatching(/came only up to byte \d+ of 240\d+.*Pull again: it goes on/),
  })
  hub.requests.length = 0
  const told: PullProgress[] = []
  const second = await pullModel(options({ onProgress: (progress) => told.push(progress) }))
  expect(await filesIn(second.path)).toEqual(asBuffers(NEEDED))
  const [request] = hub.requests.filter(({ host, path }) => host === 'cdn' && path.includes('transformer'))
  expect(request?.range).toMatch(/^bytes=[1-9]\d*-$/)
  expect(told.at(-1)?.bytesDone).toBe(second.bytesTotal)
  expect(second.bytesDownloaded).toBeLessThan(second.bytesTotal - 50_000)
})

test('a line that is cut often, but brings something each time, gets there', async () => {
  hub.faults.set(
    LARGEST,
    Array.from({ length: 10 }, () => ({ kind: 'cut', after: 20_000 })),
  )
  await pullModel(options({ retries: 2 }))
  expect(waits).toHaveLength(10)
})

test('a server that does not know ranges sends the file from the beginning', async () => {
  hub.faults.set(LARGEST, [{ kind: 'cut', after: 100_000 }, { kind: 'ignore-range' }])
  const told: PullProgress[] = []
  const { path, bytesTotal } = await pullModel(options({ onProgress: (progress) => told.push(progress) }))
  expect(await filesIn(path)).toEqual(asBuffers(NEEDED))
  expect(told.at(-1)?.bytesDone).toBe(bytesTotal)
})

test('silence counts as a cut', async () => {
  hub.faults.set(LARGEST, [{ kind: 'stall', after: 60_000 }])
  const { path } = await pullModel(options({ stallTimeout: 200 }))
  expect(await filesIn(path)).toEqual(asBuffers(NEEDED))
})

test('a file that arrives broken is fetched once more', async () => {
  hub.faults.set('vae/diffusion_pytorch_model.safetensors', [{ kind: 'corrupt' }])
  const { path } = await pullModel(options())
  expect(await filesIn(path)).toEqual(asBuffers(NEEDED))
})

test('a file that arrives broken again never gets its name', async () => {
  hub.faults.set('vae/diffusion_pytorch_model.safetensors', [{ kind: 'corrupt' }, { kind: 'corrupt' }])
  await expect(pullModel(options())).rejects.toMatchObject({
    name: 'HubError',
    code: 'hash_mismatch',
    message: expect.stringMatching(/vae\/diffusion.* is not what/),
  })
  expect(Object.keys(await filesIn(modelFolder()))).not.toContain('vae/diffusion_pytorch_model.safetensors')
})

test('a small file, which only git has a hash for, is checked as well', async () => {
  hub.faults.set('vae/config.json', [{ kind: 'corrupt' }, { kind: 'corrupt' }])
  await expect(pullModel(options())).rejects.toMatchObject({
    code: 'hash_mismatch',
    message: expect.stringMatching(/vae\/config\.json/),
  })
})

test('waits as long as the hub asks for after too many requests', async () => {
  hub.faults.set('vae/config.json', [{ kind: 'status', status: 429, headers: { 'retry-after': '7' } }])
  const told: string[] = []
  await pullModel(options({ onProgress: ({ phase, detail }) => phase === 'retrying' && told.push(detail ?? '') }))
  expect(waits).toEqual([7000])
  expect(told).toEqual([expect.stringMatching(/too many requests.*Trying again in 7 s/)])
})

test('does not wait for an hour, but says so', async () => {
  hub.listingFaults.push({ kind: 'status', status: 429, headers: { 'retry-after': '3600' } })
  await expect(pullModel(options())).rejects.toMatchObject({
    code: 'rate_limited',
    message: expect.stringMatching(/Try again in 3600 s.*HF_TOKEN/),
  })
  expect(waits).toEqual([])
})

test('tries again after server errors, with growing pauses, and gives up in the end', async () => {
  hub.listingFaults.push({ kind: 'status', status: 503 }, { kind: 'status', status: 500 })
  await pullModel(options())
  expect(waits).toHaveLength(2)
  expect(waits[0]).toBeLessThan(waits[1] ?? 0)
  hub.listingFaults.push(...Array.from({ length: 4 }, () => ({ kind: 'status' as const, status: 502 })))
  await expect(pullModel(options({ retries: 3 }))).rejects.toMatchObject({
    code: 'hub_unavailable',
    message: expect.stringMatching(/502.*Try again later/),
  })
})

test('says what to do without a connection', async () => {
  const endpoint = hub.endpoint
  await hub.close()
  const pulling = pullModel(options({ endpoint, retries: 1 }))
  await expect(pulling).rejects.toMatchObject({
    code: 'offline',
    message: expect.stringMatching(/127\.0\.0\.1:\d+ cannot be reached \(ECONNREFUSED\).*MODEL_PATH/),
  })
  expect(waits).toHaveLength(1)
  hub = await startHub(ID, REPOSITORY)
})

test.each([
  [
    'a model that does not exist',
    () => options({ id: 'Lightricks/Nothing' }),
    'model_not_found',
    /The hub has no model Lightricks\/Nothing\. Check the name at http/,
  ],
  [
    'a file that does not exist',
    () => options({ id: `${ID}:ltxv-9b.safetensors` }),
    'file_not_found',
    /has no file ltxv-9b.*It has ltxv-2b-0\.9\.8-distilled/,
  ],
  ['a name that is none', () => options({ id: 'LTX Video' }), 'bad_id', /write owner\/name/],
])('refuses %s', async (_, given, code, message) => {
  await expect(pullModel(given())).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  expect(hub.downloads()).toEqual([])
})

test('says what a private model needs, and what is wrong with a token', async () => {
  hub.token = 'hf_right'
  await expect(pullModel(options())).rejects.toMatchObject({
    code: 'unauthorized',
    message: expect.stringMatching(/does not exist or is private.*set HF_TOKEN/),
  })
  await expect(pullModel(options({ token: 'hf_wrong' }))).rejects.toMatchObject({
    code: 'unauthorized',
    message: expect.stringMatching(/refuses the token in HF_TOKEN/),
  })
  await expect(pullModel(options({ token: 'hf_right' }))).resolves.toMatchObject({ id: ID })
})

test('says where a gated model is opened', async () => {
  hub.gated = true
  const message = expect.stringMatching(new RegExp(`accept its terms: do so at ${hub.endpoint}/${ID}`))
  await expect(pullModel(options({ token: 'hf_x' }))).rejects.toMatchObject({ code: 'gated', message })
})

test('the token goes to the hub, never to the host that it redirects to, and into no error', async () => {
  hub.token = 'hf_secret'
  hub.faults.set(LARGEST, [{ kind: 'cut', after: 10 }])
  const failure: unknown = await pullModel(options({ token: 'hf_secret', retries: 0 })).catch((error: unknown) => error)
  await pullModel(options({ token: 'hf_secret' }))
  const tokens = (host: string): Set<unknown> =>
    new Set(hub.requests.filter((request) => request.host === host).map((request) => request.authorization))
  expect(tokens('hub')).toEqual(new Set(['Bearer hf_secret']))
  expect(tokens('cdn')).toEqual(new Set([undefined]))
  expect(String(failure)).toMatch(/download|came only up/)
  expect(JSON.stringify([String(failure), failure])).not.toMatch(/hf_secret|signature/i)
})

test('shows the licence and downloads nothing until it is accepted, which it remembers', async () => {
  hub.card = { license: 'other', license_name: 'ltxv-open-weights', license_link: 'License.txt' }
  const notices: string[] = []
  const refused = pullModel(options({ onLicense: (notice) => notices.push(notice) }))
  await expect(refused).rejects.toMatchObject({
    code: 'license_not_accepted',
    message: expect.stringMatching(/"ltxv-open-weights": http.*\/blob\/main\/License\.txt.*--accept-license/),
  })
  expect(notices).toHaveLength(1)
  expect(hub.downloads()).toEqual([])
  await pullModel(options({ acceptLicense: true }))
  await expect(pullModel(options())).resolves.toBeDefined()
  hub.card = { license: 'other', license_name: 'another' }
  await expect(pullModel(options())).rejects.toMatchObject({ code: 'license_not_accepted' })
})

test('refuses a pipeline that no engine runs before its weights are downloaded', async () => {
  hub.files.set('model_index.json', Buffer.from('{"_class_name": "LTX2Pipeline"}'))
  await expect(pullModel(options())).rejects.toMatchObject({
    code: 'unsupported_model',
    message: expect.stringMatching(/made for LTX2Pipeline/),
  })
  expect(hub.downloads()).toEqual(['model_index.json'])
  expect(await listModels({ cacheDir })).toEqual([])
})

test('names the single files of a repository without diffusers folders', async () => {
  hub.files.delete('model_index.json')
  await expect(pullModel(options())).rejects.toMatchObject({
    code: 'unsupported_model',
    message: expect.stringMatching(/no model_index\.json.*as Lightricks\/LTX-Video:ltxv-2b/),
  })
})

test('refuses names that lead out of the folder', async () => {
  hub.files.set('vae/../../../evil.safetensors', Buffer.from('x'))
  await expect(pullModel(options())).rejects.toMatchObject({
    code: 'unsupported_model',
    message: expect.stringMatching(/not safe to write/),
  })
})

test('reads the tree of a mirror whose listing tells no hashes', async () => {
  hub.blobs = false
  const { path } = await pullModel(options())
  expect(await filesIn(path)).toEqual(asBuffers(NEEDED))
  hub.faults.set('vae/diffusion_pytorch_model.safetensors', [{ kind: 'corrupt' }, { kind: 'corrupt' }])
  await rm(join(path, 'vae'), { recursive: true })
  await expect(pullModel(options())).rejects.toMatchObject({ code: 'hash_mismatch' })
})

test('looks at the free space before it downloads', async () => {
  const pulling = pullModel(options({ freeBytes: async () => 10_000 }))
  await expect(pulling).rejects.toMatchObject({
    code: 'disk_full',
    message: expect.stringMatching(/kB are needed and 10\.0 kB are free.*models remove.*MODEL_CACHE/),
  })
  expect(hub.downloads()).toEqual([])
})

test.skipIf(process.platform !== 'linux')('a disk that fills up in the middle is named as such', async () => {
  const parts = join(modelFolder(), '.kinora', 'parts')
  await mkdir(parts, { recursive: true })
  // The kernel's device for this: every write to it fails as on a full disk.
  await symlink('/dev/full', join(parts, sha256(Buffer.from(NEEDED[LARGEST]!))))
  await expect(pullModel(options())).rejects.toMatchObject({
    name: 'WeightsError',
    code: 'disk_full',
    message: expect.stringMatching(/filled up while transformer/),
  })
})

test('two pulls at once download everything once', async () => {
  const told: string[] = []
  const [one, other] = await Promise.all([
    pullModel(options()),
    pullModel(options({ onProgress: ({ phase, detail }) => phase === 'waiting' && told.push(detail ?? '') })),
  ])
  expect(hub.downloads().toSorted()).toEqual(Object.keys(NEEDED).toSorted())
  expect(one.bytesDownloaded + other.bytesDownloaded).toBe(one.bytesTotal)
  expect(told.every((detail) => detail.includes('is pulling it'))).toBe(true)
})

test('goes on where a process was killed, and does not wait for the dead', async () => {
  hub.faults.set(LARGEST, [{ kind: 'stall', after: 120_000 }])
  const code = `import { pullModel } from ${JSON.stringify(new URL('index.ts', import.meta.url).href)}
    await pullModel(${JSON.stringify({ id: ID, cacheDir, endpoint: hub.endpoint })})`
  const child = spawn(
    process.execPath,
    ['--conditions=@kinora/source', '--import', 'tsx', '--input-type=module', '-e', code],
    { stdio: 'inherit' },
  )
  const part = join(modelFolder(), '.kinora', 'parts', sha256(Buffer.from(NEEDED[LARGEST]!)))
  await expect
    .poll(async () => (await stat(part).catch(() => ({ size: 0 }))).size, { timeout: 20_000 })
    .toBeGreaterThan(50_000)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const pulled = await pullModel(options())
  expect(await filesIn(pulled.path)).toEqual(asBuffers(NEEDED))
  expect(hub.requests.findLast(({ path }) => path.includes('transformer%2F'))?.range).toMatch(/^bytes=\d{5,}-$/)
})

test('stops when it is told to, and keeps what it has', async () => {
  const stop = new AbortController()
  hub.faults.set(LARGEST, [{ kind: 'stall', after: 100_000 }])
  const pulling = pullModel(options({ signal: stop.signal }))
  await expect.poll(() => hub.downloads().includes(LARGEST)).toBe(true)
  stop.abort(new Error('Ctrl-C'))
  await expect(pulling).rejects.toThrow('Ctrl-C')
  await expect(pullModel(options())).resolves.toBeDefined()
})

/** The layout of huggingface_hub: blobs by hash, and a snapshot of symbolic links. */
async function huggingFaceCache(files: Record<string, Uint8Array | string>): Promise<string> {
  const home = join(cacheDir, 'huggingface', 'models--Lightricks--LTX-Video')
  await mkdir(join(home, 'blobs'), { recursive: true })
  await mkdir(join(home, 'refs'))
  await writeFile(join(home, 'refs', 'main'), 'abc')
  for (const [path, content] of Object.entries(files)) {
    const bytes = Buffer.from(content)
    const blob = join(home, 'blobs', bytes.length >= 1000 ? sha256(bytes) : gitId(bytes))
    await writeFile(blob, bytes)
    await mkdir(join(home, 'snapshots', 'abc', path, '..'), { recursive: true })
    await symlink(blob, join(home, 'snapshots', 'abc', path))
  }
  return join(cacheDir, 'huggingface')
}

test('uses the files of a Hugging Face cache, if they are whole, and downloads the others', async () => {
  const hubCacheDir = await huggingFaceCache({ ...NEEDED, 'vae/config.json': 'another one' })
  await writeFile(
    join(hubCacheDir, 'models--Lightricks--LTX-Video', 'blobs', sha256(Buffer.from(NEEDED[LARGEST]!))),
    'never finished',
  )
  const pulled = await pullModel(options({ hubCacheDir }))
  expect(await filesIn(pulled.path)).toEqual(asBuffers(NEEDED))
  expect(hub.downloads().toSorted()).toEqual([LARGEST, 'vae/config.json'].toSorted())
  const linked = await lstat(join(pulled.path, 'vae/diffusion_pytorch_model.safetensors'))
  expect(linked.nlink > 1 || linked.isSymbolicLink()).toBe(true)
})

test('finds a whole snapshot of a Hugging Face cache without the network, and not one with a shard missing', async () => {
  const hubCacheDir = await huggingFaceCache(NEEDED)
  const path = await resolveModelPath(ID, options({ hubCacheDir }))
  expect(path).toBe(join(hubCacheDir, 'models--Lightricks--LTX-Video', 'snapshots', 'abc'))
  await rm(join(path, 'text_encoder/model-00002-of-00002.safetensors'))
  await expect(resolveModelPath(ID, { ...options({ hubCacheDir }), pull: false })).rejects.toMatchObject({
    code: 'not_pulled',
  })
  expect(hub.requests).toEqual([])
})

test('MODEL_PATH is a folder, or a model that is pulled once', async () => {
  expect(await resolveModelPath(cacheDir, options())).toBe(cacheDir)
  await expect(resolveModelPath('/no/where', options())).rejects.toMatchObject({
    code: 'file_missing',
    message: expect.stringMatching(/Check MODEL_PATH/),
  })
  await expect(resolveModelPath(ID, { ...options(), pull: false })).rejects.toMatchObject({
    code: 'not_pulled',
    message: expect.stringMatching(/kinora models pull Lightricks\/LTX-Video/),
  })
  expect(await resolveModelPath(ID, options())).toBe(modelFolder())
  await hub.close()
  expect(await resolveModelPath(ID, options())).toBe(modelFolder())
  hub = await startHub(ID, REPOSITORY)
})

test('lists what is there, whole or not', async () => {
  expect(await listModels({ cacheDir })).toEqual([])
  const { bytesTotal, commit } = await pullModel(options())
  await pullModel(options({ id: `${ID}:${SINGLE_FILE}` }))
  await rm(join(modelFolder(), SINGLE_FILE))
  const [folders, single] = await listModels({ cacheDir })
  expect(folders).toMatchObject({ id: ID, path: modelFolder(), files: 14, bytes: bytesTotal, complete: true, commit })
  expect(single).toMatchObject({ id: `${ID}:${SINGLE_FILE}`, path: join(modelFolder(), SINGLE_FILE), complete: false })
})

test('lists a pull that has not ended as incomplete', async () => {
  hub.faults.set(LARGEST, [{ kind: 'cut', after: 10 }])
  await expect(pullModel(options({ retries: 0 }))).rejects.toThrow()
  expect(await listModels({ cacheDir })).toMatchObject([{ id: ID, files: 14, complete: false, pulledAt: '' }])
  expect((await verifyModel({ id: ID, cacheDir })).filter(({ status }) => status === 'missing')).toContainEqual({
    path: LARGEST,
    status: 'missing',
  })
  await removeModel(options())
  expect(await readdir(join(cacheDir, 'models', 'Lightricks'))).toEqual([])
})

test('an update that was interrupted does not count as whole', async () => {
  await pullModel(options())
  hub.files.set('vae/config.json', Buffer.from('{"c": 5}'))
  hub.faults.set('vae/config.json', [{ kind: 'status', status: 500 }])
  await expect(pullModel(options({ retries: 0 }))).rejects.toMatchObject({ code: 'hub_unavailable' })
  expect(await listModels({ cacheDir })).toMatchObject([{ complete: false }])
  await pullModel(options())
  expect(await listModels({ cacheDir })).toMatchObject([{ complete: true }])
})

test('verify finds what is missing, cut or changed, and the next pull replaces just that', async () => {
  const { path } = await pullModel(options())
  expect((await verifyModel({ id: ID, cacheDir })).every(({ status }) => status === 'ok')).toBe(true)
  const changed = await readFile(join(path, LARGEST))
  changed[9999]! ^= 1
  await writeFile(join(path, LARGEST), changed)
  await writeFile(join(path, 'vae/config.json'), '{')
  await rm(join(path, 'tokenizer/spiece.model'))
  const files = await verifyModel({ id: ID, cacheDir })
  expect(
    Object.fromEntries(files.filter((file) => file.status !== 'ok').map((file) => [file.path, file.status])),
  ).toEqual({
    [LARGEST]: 'wrong_hash',
    'vae/config.json': 'wrong_size',
    'tokenizer/spiece.model': 'missing',
  })
  hub.requests.length = 0
  await pullModel(options())
  expect(hub.downloads().toSorted()).toEqual(['tokenizer/spiece.model', LARGEST, 'vae/config.json'])
  expect((await verifyModel({ id: ID, cacheDir })).every(({ status }) => status === 'ok')).toBe(true)
})

test('an int8 edition goes with its checkpoint', async () => {
  hub.files.set(
    'vae/diffusion_pytorch_model.safetensors',
    Buffer.from(safetensorsBytes({ w: float32([1, 2, 3, 4], [2, 2]) })),
  )
  const { path } = await pullModel(options())
  const { tensors } = await openWeights(join(path, 'vae'))
  await quantizeWeights({ tensors: [...tensors.values()], folder: join(cacheDir, 'int8') })
  await pullModel(options())
  expect((await readdir(join(cacheDir, 'int8'))).filter((name) => name.endsWith('.safetensors'))).toHaveLength(1)
  await removeModel(options())
  expect((await readdir(join(cacheDir, 'int8'))).filter((name) => name.endsWith('.safetensors'))).toEqual([])
})

test('remove deletes a model; of two that share files, what only that one needs', async () => {
  await pullModel(options())
  const single = await pullModel(options({ id: `${ID}:${SINGLE_FILE}` }))
  const { bytes } = await removeModel({ ...options(), id: single.id })
  expect(bytes).toBe(
    hub.files.get(SINGLE_FILE)!.length + hub.files.get('ltxv-spatial-upscaler-0.9.8.safetensors')!.length,
  )
  expect(await filesIn(modelFolder())).toEqual(asBuffers(NEEDED))
  await removeModel(options())
  expect(await listModels({ cacheDir })).toEqual([])
  await expect(removeModel(options())).rejects.toMatchObject({
    code: 'not_pulled',
    message: expect.stringMatching(/models list/),
  })
})

/** The folders of 0.9.7 and 0.9.8 have no upscaler: the authors publish it as a repository of its own. */
describe('an upscaler that lives elsewhere', () => {
  const newer = 'Lightricks/LTX-Video-0.9.7-distilled'
  const home = 'Lightricks/ltxv-spatial-upscaler-0.9.7'
  const own = {
    'LICENSE.md': 'Terms of the upscaler.',
    'model_index.json': JSON.stringify({ _class_name: 'LTXLatentUpsamplePipeline' }),
    'vae/config.json': '{}',
    'vae/diffusion_pytorch_model.safetensors': safetensorsBytes({ w: float32([1]) }),
    'latent_upsampler/config.json': '{"mid_channels": 512}',
    'latent_upsampler/diffusion_pytorch_model.safetensors': safetensorsBytes({
      w: float32(Array.from({ length: 900 }, (_, index) => index)),
    }),
  }
  let model: StandIn
  let upscaler: StandIn
  let both: typeof fetch
  beforeEach(async () => {
    model = await startHub(newer, REPOSITORY)
    upscaler = await startHub(home, own)
    // Two stand-ins are one hub: whoever knows the repository answers.
    both = async (input, init) => {
      const url = new URL(input instanceof Request ? input.url : input)
      const at = url.pathname.includes(`/${home}/`) ? new URL(upscaler.endpoint) : url
      url.port = at.port
      return fetch(url, init)
    }
  })
  afterEach(() => Promise.all([model.close(), upscaler.close()]))
  const pull = (more: Partial<PullOptions> = {}) =>
    pullModel(options({ id: newer, endpoint: model.endpoint, fetch: both, ...more }))

  test('comes with the model, beside its folders, and nothing else of that repository', async () => {
    const { path, bytesTotal, bytesDownloaded } = await pull()
    expect(bytesDownloaded).toBe(bytesTotal)
    const latent = Object.entries(own).filter(([file]) => file.startsWith('latent_upsampler/'))
    expect(await filesIn(path)).toEqual(asBuffers({ ...NEEDED, ...Object.fromEntries(latent) }))
    expect(await verifyModel({ cacheDir, id: newer })).toHaveLength(Object.keys(NEEDED).length + 2)
    model.requests.length = 0
    expect((await pull()).bytesDownloaded).toBe(0)
    await removeModel({ cacheDir, id: newer })
    expect(await listModels({ cacheDir })).toEqual([])
  })

  test('its licence is told and wants to be accepted as the model\u2019s does', async () => {
    upscaler.card = { license: 'other', license_name: 'upscaler-terms' }
    const told: string[] = []
    await expect(pull({ onLicense: (notice) => told.push(notice) })).rejects.toMatchObject({
      code: 'license_not_accepted',
      message: expect.stringMatching(/ltxv-spatial-upscaler-0\.9\.7 is under the licence "upscaler-terms"/),
    })
    expect(told).toHaveLength(2)
    await pull({ acceptLicense: true })
    // Once said, it is remembered.
    await pull()
  })

  test('where it cannot be had, the model comes without', async () => {
    upscaler.listingFaults.push({ kind: 'status', status: 404, headers: { 'x-error-code': 'RepoNotFound' } })
    expect(await filesIn((await pull()).path)).toEqual(asBuffers(NEEDED))
  })

  test('is not asked for where the model has one, or is another version', async () => {
    await pullModel(options())
    for (const [file, content] of Object.entries(own))
      if (file.startsWith('latent_upsampler/')) model.files.set(file, Buffer.from(content))
    await pull()
    expect(upscaler.requests).toEqual([])
  })
})
