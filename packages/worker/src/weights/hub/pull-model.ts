/** `kinora models pull`: brings a model's files onto this machine, each verified before it gets its name. */
import { copyFile, link, mkdir, readFile, realpath, rename, rm, stat, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { checkDiskSpace } from '../disk-space.ts'
import { withFileLock } from '../file-lock.ts'
import { pruneDerived } from '../derived-cache.ts'
import { hasHash } from './content-hash.ts'
import { downloadFile, partSize } from './download-file.ts'
import { checkLicense, describeLicense, needsAcceptance, type License } from './license.ts'
import { readListing, type HubFile, type HubModel } from './listing.ts'
import {
  emptyManifest,
  fileInModel,
  int8Folder,
  modelFolder,
  modelLock,
  partOf,
  readManifest,
  selectionOf,
  writeManifest,
  type Manifest,
} from './manifest.ts'
import { formatModelId, parseModelId, type ModelId } from './model-id.ts'
import { withDefaults, type Hub, type HubOptions } from './options.ts'
import { createMeter, type ProgressMeter, type PullProgress } from './progress.ts'
import { checkPipeline, isPipelineIndex, selectFiles } from './select-files.ts'
import { findUpscaler } from './upscaler.ts'

export interface PullOptions extends HubOptions {
  /** `Lightricks/LTX-Video`, or with `:file` for a single-file checkpoint. */
  readonly id: string
  /** The user has accepted the licence. Default: false; once said, it is remembered for the same licence. */
  readonly acceptLicense?: boolean | undefined
  /** Called a few times a second. */
  readonly onProgress?: ((progress: PullProgress) => void) | undefined
  /** Told before anything large is downloaded, for each repository that files come from: the licence in one line. */
  readonly onLicense?: ((notice: string, license: License | null) => void) | undefined
  /** Downloads at the same time. Default: 3. */
  readonly connections?: number | undefined
}

export interface PulledModel {
  /** As it was asked for. */
  readonly id: string
  /** What an engine loads: the model's folder, or the single file in it. */
  readonly path: string
  readonly folder: string
  readonly commit: string
  readonly license: License | null
  readonly bytesTotal: number
  /** What came over the line in this pull. */
  readonly bytesDownloaded: number
  /** What an existing Hugging Face cache gave. */
  readonly bytesReused: number
}

/**
 * Downloads what is missing of the files that the engine needs, and nothing else.
 * Safe to call twice at once, to interrupt and to repeat: it goes on where it was.
 * @throws HubError, WeightsError `disk_full`, the signal's reason
 */
export async function pullModel(options: PullOptions): Promise<PulledModel> {
  const id = parseModelId(options.id)
  const meter = createMeter(options.onProgress)
  const hub = withDefaults(options, (reason, pause) => {
    meter.phase('retrying', { detail: `${reason} Trying again in ${Math.ceil(pause / 1000)} s.` })
  })
  const onWait = (holder: string): void => meter.phase('waiting', { detail: `${holder} is pulling it` })
  return withFileLock(modelLock(hub, id), () => pull(hub, id, options, meter), { signal: hub.signal, onWait })
}

async function pull(hub: Hub, id: ModelId, options: PullOptions, meter: ProgressMeter): Promise<PulledModel> {
  meter.phase('listing')
  const model = await readListing(hub, id)
  const upscaler = await findUpscaler(hub, id, model)
  const files = [...selectFiles(id, model), ...(upscaler?.files ?? [])]
  const folder = modelFolder(hub, id)
  const before = (await readManifest(folder)) ?? emptyManifest(id.repository)
  const acceptedLicense = agree([model, ...(upscaler === undefined ? [] : [upscaler.model])], before, hub, options)

  const bytesTotal = files.reduce((sum, file) => sum + file.size, 0)
  meter.begin(files.length, bytesTotal)
  const work: Pull = {
    hub,
    id,
    model,
    folder,
    meter,
    manifest: { ...before, acceptedLicense },
    downloaded: 0,
    reused: 0,
    saving: Promise.resolve(),
  }
  const missing = await takeWhatIsThere(work, files)
  await reserveSpace(work, missing)
  const [index, rest] = [
    missing.filter((file) => isPipelineIndex(file)),
    missing.filter((file) => !isPipelineIndex(file)),
  ]
  await fetchAll(work, index, 1)
  if (id.file === undefined) await checkIndex(work)
  await begin(work, files, missing)
  await fetchAll(work, rest, options.connections ?? 3)
  await finish(work)
  meter.phase('done')
  return {
    id: formatModelId(id),
    path: id.file === undefined ? folder : fileInModel(folder, id.file),
    folder,
    commit: model.commit,
    license: model.license,
    bytesTotal,
    bytesDownloaded: work.downloaded,
    bytesReused: work.reused,
  }
}

/**
 * Tells the licences, and looks whether they have been accepted.
 * @returns what is to be remembered as accepted
 * @throws HubError `license_not_accepted`
 */
function agree(models: readonly HubModel[], before: Manifest, { endpoint }: Hub, options: PullOptions): string | null {
  for (const { license, repository } of models)
    options.onLicense?.(describeLicense(license, endpoint, repository), license)
  const bound = models.filter(({ license }) => needsAcceptance(license))
  const notices = bound.map(({ license, repository }) => describeLicense(license, endpoint, repository)).join('\n')
  const accepted = options.acceptLicense === true || before.acceptedLicense === notices
  for (const { license, repository } of bound) checkLicense(license, accepted, endpoint, repository)
  return notices === '' ? null : notices
}

interface Pull {
  readonly hub: Hub
  readonly id: ModelId
  readonly model: HubModel
  readonly folder: string
  readonly meter: ProgressMeter
  manifest: Manifest
  downloaded: number
  reused: number
  saving: Promise<void>
}

/** Returns the files that are neither in the model's folder nor in a Hugging Face cache. */
async function takeWhatIsThere(work: Pull, files: readonly HubFile[]): Promise<HubFile[]> {
  const missing: HubFile[] = []
  for (const file of files) {
    work.hub.signal?.throwIfAborted()
    const here = (await isWhole(work, file)) || (await reuse(work, file))
    if (here) work.meter.have(file.size)
    else missing.push(file)
    if (here) work.meter.fileDone(file.path)
  }
  return missing
}

/** A file that has not been touched since it was verified is taken as it is; any other is read and compared. */
async function isWhole(work: Pull, file: HubFile): Promise<boolean> {
  const target = fileInModel(work.folder, file.path)
  const found = await stat(target).catch(() => undefined)
  if (!found || found.size !== file.size) return false
  const known = work.manifest.files[file.path]
  if (known && known.modified === found.mtimeMs && known.hash?.value === file.hash?.value) return true
  if (file.hash === undefined) return false
  work.meter.phase('checking', { file: file.path })
  if (!(await hasHash(target, file.size, file.hash, undefined, work.hub.signal))) return false
  await note(work, file)
  return true
}

/** The hub's own cache keeps each file under the hash that the hub names it by: the same bytes need not come twice, nor lie there twice. */
async function reuse(work: Pull, file: HubFile): Promise<boolean> {
  const { hub, id, folder, meter } = work
  if (hub.hubCacheDir === null || file.hash === undefined) return false
  const home = `models--${(file.from?.repository ?? id.repository).replace('/', '--')}`
  const blob = await realpath(join(hub.hubCacheDir, home, 'blobs', file.hash.value)).catch(() => undefined)
  if (blob === undefined || (await stat(blob)).size !== file.size) return false
  meter.phase('checking', { file: file.path, detail: 'found in the Hugging Face cache' })
  if (!(await hasHash(blob, file.size, file.hash, undefined, hub.signal))) return false
  const target = fileInModel(folder, file.path)
  await mkdir(dirname(target), { recursive: true })
  await rm(target, { force: true })
  // One name more for the same bytes where the disk allows, else a symbolic link, else (Windows without the right) a copy.
  await link(blob, target)
    .catch(() => symlink(blob, target))
    .catch(() => copyFile(blob, target))
  work.reused += file.size
  await note(work, file)
  return true
}

async function reserveSpace({ hub, folder, meter }: Pull, missing: readonly HubFile[]): Promise<void> {
  let needed = 0
  for (const file of missing) {
    const kept = Math.min(await partSize(partOf(folder, file.path, file.hash)), file.size)
    meter.have(kept)
    needed += file.size - kept
  }
  await checkDiskSpace(hub.cacheDir, needed, hub.freeBytes)
}

/** Several at a time, the small ones first; the first failure stops the others. */
async function fetchAll(work: Pull, files: readonly HubFile[], connections: number): Promise<void> {
  const failed = new AbortController()
  const signal = work.hub.signal ? AbortSignal.any([work.hub.signal, failed.signal]) : failed.signal
  const queue = [...files]
  let failure: { readonly error: unknown } | undefined
  const fetchNext = async (): Promise<void> => {
    for (let file = queue.shift(); file && !failure; file = queue.shift()) {
      try {
        await fetchFile(work, file, { ...work.hub, signal })
      } catch (error) {
        failure ??= { error }
        failed.abort(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, connections) }, fetchNext))
  if (failure) throw failure.error
}

async function fetchFile(work: Pull, file: HubFile, hub: Hub = work.hub): Promise<void> {
  const { model, folder, meter } = work
  const part = partOf(folder, file.path, file.hash)
  const onBytes = (count: number): void => {
    work.downloaded += Math.max(0, count)
    meter.gain(count, file.path)
  }
  const { repository, commit } = file.from ?? model
  await downloadFile(hub, { repository, commit, file, part, onBytes })
  const target = fileInModel(folder, file.path)
  await mkdir(dirname(target), { recursive: true })
  await rename(part, target)
  await note(work, file)
  meter.fileDone(file.path)
}

/** Writes down that a file is whole, so that an interrupted pull need not read it again. */
async function note(work: Pull, file: HubFile): Promise<void> {
  const { mtimeMs: modified } = await stat(fileInModel(work.folder, file.path))
  const files = { ...work.manifest.files, [file.path]: { size: file.size, hash: file.hash, modified } }
  work.manifest = { ...work.manifest, files }
  await save(work)
}

/** One write after the other: downloads that end at the same time would tear the manifest. */
async function save(work: Pull): Promise<void> {
  work.saving = work.saving.then(() => writeManifest(work.folder, work.manifest))
  return work.saving
}

/** A pipeline that nothing runs leaves nothing behind, unless there was something before. */
async function checkIndex({ id, folder, manifest }: Pull): Promise<void> {
  const index: unknown = JSON.parse(await readFile(fileInModel(folder, 'model_index.json'), 'utf8'))
  try {
    checkPipeline(id, index)
  } catch (error) {
    if (Object.keys(manifest.selections).length === 0) await rm(folder, { recursive: true, force: true })
    throw error
  }
}

/** What is wanted is written down before it is there: an interrupted pull is listed, and what it replaces counts as missing. */
async function begin(work: Pull, files: readonly HubFile[], missing: readonly HubFile[]): Promise<void> {
  const { id, manifest } = work
  const coming = new Set(missing.filter((file) => !isPipelineIndex(file)).map((file) => file.path))
  const whole = Object.entries(manifest.files).filter(([path]) => !coming.has(path))
  const selections = { ...manifest.selections, [selectionOf(id)]: files.map((file) => file.path) }
  work.manifest = {
    ...manifest,
    revision: id.revision,
    commit: work.model.commit,
    selections,
    files: Object.fromEntries(whole),
  }
  await save(work)
}

/** The selection counts as pulled; files of an older commit that nothing refers to any more go. */
async function finish(work: Pull): Promise<void> {
  const { folder, manifest } = work
  const wanted = new Set(Object.values(manifest.selections).flat())
  const stale = Object.keys(manifest.files).filter((path) => !wanted.has(path))
  for (const path of stale) await rm(fileInModel(folder, path), { force: true })
  const kept = Object.fromEntries(Object.entries(manifest.files).filter(([path]) => wanted.has(path)))
  work.manifest = { ...manifest, pulledAt: new Date().toISOString(), files: kept }
  await save(work)
  await pruneDerived(int8Folder(work.hub))
  // Parts that are left belong to older commits, unless another selection of this repository is still on its way.
  const allWhole = [...wanted].every((path) => path in kept)
  if (allWhole) await rm(join(folder, '.kinora', 'parts'), { recursive: true, force: true })
}
