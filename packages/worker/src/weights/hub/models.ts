/** What is on this machine: `kinora models list`, `verify`, `remove`. */
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { withFileLock } from '../file-lock.ts'
import { pruneDerived } from '../derived-cache.ts'
import { hasHash } from './content-hash.ts'
import { HubError } from './hub-error.ts'
import {
  fileInModel,
  int8Folder,
  modelFolder,
  modelLock,
  readManifest,
  selectionOf,
  writeManifest,
  type Manifest,
} from './manifest.ts'
import { formatModelId, parseModelId, type ModelId } from './model-id.ts'
import { withDefaults, type Hub, type HubOptions } from './options.ts'

export interface ListedModel {
  /** `owner/name`, or `owner/name:file`. */
  readonly id: string
  /** What an engine loads. */
  readonly path: string
  readonly files: number
  readonly bytes: number
  /** All its files are there with their sizes; their content is looked at by {@link verifyModel}. */
  readonly complete: boolean
  readonly commit: string
  /** ISO 8601; empty when the pull has not ended yet. */
  readonly pulledAt: string
}

export interface VerifiedFile {
  readonly path: string
  readonly status: 'ok' | 'missing' | 'wrong_size' | 'wrong_hash'
}

export interface VerifyOptions extends HubOptions {
  readonly id: string
  /** Called after each file and within large ones. */
  readonly onProgress?: ((progress: { file: string; bytesDone: number; bytesTotal: number }) => void) | undefined
}

/** All models of the cache, by name. A pull that was interrupted is listed as incomplete. */
export async function listModels(options: HubOptions = {}): Promise<ListedModel[]> {
  const hub = withDefaults(options)
  const models: ListedModel[] = []
  for (const owner of await folderNames(join(hub.cacheDir, 'models'))) {
    for (const name of await folderNames(join(hub.cacheDir, 'models', owner))) {
      const folder = modelFolder(hub, { owner, name })
      const manifest = await readManifest(folder)
      if (manifest) models.push(...(await selectionsOf(folder, manifest)))
    }
  }
  return models
}

/**
 * Reads every file of a pulled model and compares it with the hash that the hub announced. What is broken is replaced by the next pull.
 * @throws HubError `not_pulled`
 */
export async function verifyModel(options: VerifyOptions): Promise<readonly VerifiedFile[]> {
  const { hub, id, folder, manifest } = await pulled(options)
  return withFileLock(modelLock(hub, id), () => verify(hub, folder, manifest, id, options), { signal: hub.signal })
}

/**
 * Deletes a model, or one single-file checkpoint and what only that one needed, and the int8 editions that were made of it.
 * @returns how much is free now
 * @throws HubError `not_pulled`
 */
export async function removeModel(options: HubOptions & { readonly id: string }): Promise<{ readonly bytes: number }> {
  const { hub, id, folder, manifest } = await pulled(options)
  return withFileLock(modelLock(hub, id), () => remove(hub, folder, manifest, id), { signal: hub.signal })
}

/** A selection whose files are all there with the right sizes, without the network; else undefined. */
export async function findPulled(hub: Hub, id: ModelId): Promise<ListedModel | undefined> {
  const folder = modelFolder(hub, id)
  const manifest = await readManifest(folder)
  const sameRevision = manifest && [manifest.revision, manifest.commit].includes(id.revision)
  const listed = sameRevision ? await selectionsOf(folder, manifest) : []
  return listed.find((model) => model.id === formatModelId(id) && model.complete)
}

async function pulled(
  options: HubOptions & { readonly id: string },
): Promise<{ hub: Hub; id: ModelId; folder: string; manifest: Manifest }> {
  const hub = withDefaults(options)
  const id = parseModelId(options.id)
  const folder = modelFolder(hub, id)
  const manifest = await readManifest(folder)
  const known = manifest && (id.file === undefined || selectionOf(id) in manifest.selections)
  if (known) return { hub, id, folder, manifest }
  throw new HubError(
    'not_pulled',
    `${formatModelId(id)} is not in ${hub.cacheDir}. See \`kinora models list\`, or get it with \`kinora models pull ${formatModelId(id)}\`.`,
  )
}

async function verify(
  hub: Hub,
  folder: string,
  manifest: Manifest,
  id: ModelId,
  options: VerifyOptions,
): Promise<VerifiedFile[]> {
  const wanted =
    id.file === undefined
      ? [...new Set(Object.values(manifest.selections).flat())]
      : (manifest.selections[selectionOf(id)] ?? [])
  const sizes = wanted.map((path) => manifest.files[path]?.size ?? 0)
  const bytesTotal = sizes.reduce((sum, size) => sum + size, 0)
  let bytesDone = 0
  const files: VerifiedFile[] = []
  for (const path of wanted) {
    const report = (count: number): void => {
      bytesDone += count
      options.onProgress?.({ file: path, bytesDone, bytesTotal })
    }
    files.push({ path, status: await verifyFile(hub, folder, path, manifest, report) })
  }
  const broken = new Set(files.filter((file) => file.status !== 'ok').map((file) => file.path))
  // Without its entry a file counts as unknown, so that the next pull does not trust it.
  const trusted = Object.entries(manifest.files).filter(([path]) => !broken.has(path))
  if (broken.size > 0) await writeManifest(folder, { ...manifest, files: Object.fromEntries(trusted) })
  return files
}

async function verifyFile(
  hub: Hub,
  folder: string,
  path: string,
  manifest: Manifest,
  onBytes: (count: number) => void,
): Promise<VerifiedFile['status']> {
  const file = fileInModel(folder, path)
  const found = await stat(file).catch(() => undefined)
  const known = manifest.files[path]
  if (!found || !known) return found ? 'wrong_hash' : 'missing'
  if (found.size !== known.size) return 'wrong_size'
  if (known.hash === undefined) return 'ok'
  return (await hasHash(file, known.size, known.hash, onBytes, hub.signal)) ? 'ok' : 'wrong_hash'
}

async function remove(hub: Hub, folder: string, manifest: Manifest, id: ModelId): Promise<{ bytes: number }> {
  const selections = Object.fromEntries(
    Object.entries(manifest.selections).filter(([name]) => id.file !== undefined && name !== id.file),
  )
  const needed = new Set(Object.values(selections).flat())
  const going = Object.entries(manifest.files).filter(([path]) => !needed.has(path))
  const bytes = going.reduce((sum, [, file]) => sum + file.size, 0)
  if (Object.keys(selections).length === 0) {
    await rm(folder, { recursive: true, force: true })
    return { bytes: bytes + (await pruneDerived(int8Folder(hub))) }
  }
  for (const [path] of going) await rm(fileInModel(folder, path), { force: true })
  const files = Object.fromEntries(Object.entries(manifest.files).filter(([path]) => needed.has(path)))
  await writeManifest(folder, { ...manifest, selections, files })
  return { bytes: bytes + (await pruneDerived(int8Folder(hub))) }
}

async function selectionsOf(folder: string, manifest: Manifest): Promise<ListedModel[]> {
  const { repository, commit, pulledAt } = manifest
  return Promise.all(
    Object.entries(manifest.selections).map(async ([name, paths]) => ({
      id: name === '' ? repository : `${repository}:${name}`,
      path: name === '' ? folder : fileInModel(folder, name),
      files: paths.length,
      bytes: paths.reduce((sum, path) => sum + (manifest.files[path]?.size ?? 0), 0),
      complete: await allThere(folder, manifest, paths),
      commit,
      pulledAt,
    })),
  )
}

async function allThere(folder: string, manifest: Manifest, paths: readonly string[]): Promise<boolean> {
  for (const path of paths) {
    const found = await stat(fileInModel(folder, path)).catch(() => undefined)
    if (!found || found.size !== manifest.files[path]?.size) return false
  }
  return true
}

async function folderNames(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .toSorted()
}
