/** What was pulled, written beside it: `.kinora/manifest.json` in the model's folder. */
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { ContentHash } from './content-hash.ts'
import type { ModelId } from './model-id.ts'
import type { Hub } from './options.ts'

export interface PulledFile {
  readonly size: number
  readonly hash: ContentHash | undefined
  /** The file's modification time when its content was last compared with the hash, in milliseconds. */
  readonly modified: number
}

export interface Manifest {
  readonly repository: string
  /** The branch, tag or commit that was asked for, and the commit that it stood for at the last pull. */
  readonly revision: string
  readonly commit: string
  /** ISO 8601. */
  readonly pulledAt: string
  /** The licence (id, name and link in one line) that was accepted, if one had to be. */
  readonly acceptedLicense: string | null
  /** What was asked for: '' for the diffusers folders, else the single file; and the paths that belong to it. */
  readonly selections: Readonly<Record<string, readonly string[]>>
  /** The files that are whole, by their path. */
  readonly files: Readonly<Record<string, PulledFile>>
}

const FORMAT = 1

/** `CACHE/models/OWNER/NAME`. */
export function modelFolder(hub: Hub, id: Pick<ModelId, 'owner' | 'name'>): string {
  return join(hub.cacheDir, 'models', id.owner, id.name)
}

/** Where int8 editions are kept unless an engine is told otherwise: `CACHE/int8`. */
export function int8Folder(hub: Hub): string {
  return join(hub.cacheDir, 'int8')
}

/** One process at a time changes a model. */
export function modelLock(hub: Hub, id: ModelId): string {
  return join(hub.cacheDir, 'locks', `${id.owner}--${id.name}.lock`)
}

/** Where a file of the repository lies. */
export function fileInModel(folder: string, path: string): string {
  return join(folder, ...path.split('/'))
}

/** Where a download is kept until it is whole: named by its content, so that it is only ever continued with the same. */
export function partOf(folder: string, path: string, hash: ContentHash | undefined): string {
  return join(folder, '.kinora', 'parts', hash?.value ?? encodeURIComponent(path))
}

/** The selection's name in a manifest. */
export function selectionOf(id: ModelId): string {
  return id.file ?? ''
}

export function emptyManifest(repository: string): Manifest {
  return { repository, revision: 'main', commit: '', pulledAt: '', acceptedLicense: null, selections: {}, files: {} }
}

/** The folder's manifest; null when it has none, or one that cannot be read, which a pull then makes anew. */
export async function readManifest(folder: string): Promise<Manifest | null> {
  try {
    return parse(JSON.parse(await readFile(manifestFile(folder), 'utf8')))
  } catch {
    return null
  }
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const file = manifestFile(folder)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(`${file}.new`, `${JSON.stringify({ format: FORMAT, ...manifest }, null, 1)}\n`)
  await rename(`${file}.new`, file)
}

function manifestFile(folder: string): string {
  return join(folder, '.kinora', 'manifest.json')
}

function parse(value: unknown): Manifest | null {
  const { format, repository, revision, commit, pulledAt, acceptedLicense, selections, files } = record(value)
  if (format !== FORMAT || typeof repository !== 'string' || typeof commit !== 'string' || typeof pulledAt !== 'string')
    return null
  return {
    repository,
    revision: typeof revision === 'string' ? revision : 'main',
    commit,
    pulledAt,
    acceptedLicense: typeof acceptedLicense === 'string' ? acceptedLicense : null,
    selections: Object.fromEntries(Object.entries(record(selections)).map(([name, paths]) => [name, strings(paths)])),
    files: Object.fromEntries(Object.entries(record(files)).flatMap(([path, file]) => parseFile(path, file))),
  }
}

function parseFile(path: string, value: unknown): [string, PulledFile][] {
  const { size, modified, hash } = record(value)
  const { algorithm, value: digest } = record(hash)
  if (typeof size !== 'number' || typeof modified !== 'number') return []
  const known = (algorithm === 'sha256' || algorithm === 'git') && typeof digest === 'string'
  return [[path, { size, modified, hash: known ? { algorithm, value: digest } : undefined }]]
}

function strings(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : []
}

function record(value: unknown): Partial<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
