/** What the hub says about a model: its commit, its files with their hashes, its licence. */
import { listFiles } from '@huggingface/hub'
import type { ContentHash } from './content-hash.ts'
import { HubError } from './hub-error.ts'
import type { License } from './license.ts'
import { licenseOf } from './license.ts'
import type { ModelId } from './model-id.ts'
import type { Hub } from './options.ts'
import { request, retrying } from './request.ts'

export interface HubFile {
  /** With `/`, as in the repository. */
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Missing only where a mirror does not tell. */
  readonly hash: ContentHash | undefined
  /** Where it is, if not in the repository that was asked for. */
  readonly from?: { readonly repository: string; readonly commit: string }
}

export interface HubModel {
  readonly repository: string
  /** The commit that the revision stands for now; all files are taken from it. */
  readonly commit: string
  readonly files: readonly HubFile[]
  readonly license: License | null
}

/**
 * Asks for the model's card and files.
 * @throws HubError
 */
export async function readListing(hub: Hub, id: ModelId): Promise<HubModel> {
  const subject = { repository: id.repository }
  const url = `${hub.endpoint}/api/models/${id.repository}/revision/${encodeURIComponent(id.revision)}?blobs=true`
  const info = await retrying(hub, async () => {
    const { response } = await request(hub, url, { accept: 'application/json' }, subject)
    return record(
      await response.json().catch((cause: unknown) => {
        throw notAHub(hub, cause)
      }),
    )
  })
  const commit = typeof info.sha === 'string' ? info.sha : id.revision
  const siblings = Array.isArray(info.siblings) ? info.siblings.map(fromSibling) : []
  const complete = siblings.length > 0 && siblings.every((file) => file !== undefined)
  const files = complete ? siblings.filter((file) => file !== undefined) : await readTree(hub, id, commit)
  for (const { path } of files) checkPath(id, path)
  return { repository: id.repository, commit, files, license: licenseOf(record(info.cardData)) }
}

/** Mirrors that do not know `blobs` still list the tree. */
async function readTree(hub: Hub, id: ModelId, commit: string): Promise<HubFile[]> {
  const fetchFromHub: typeof fetch = async (input) => {
    const url = input instanceof Request ? input.url : String(input)
    return (await request(hub, url, { accept: 'application/json' }, { repository: id.repository })).response
  }
  return retrying(hub, async () => {
    const files: HubFile[] = []
    const listed = listFiles({
      repo: id.repository,
      recursive: true,
      revision: commit,
      hubUrl: hub.endpoint,
      fetch: fetchFromHub,
    })
    for await (const { type, path, size, oid, lfs } of listed) {
      if (type === 'file') files.push({ path, size: lfs?.size ?? size, hash: hashOf(lfs?.oid, oid) })
    }
    return files
  })
}

function fromSibling(sibling: unknown): HubFile | undefined {
  const { rfilename: path, size, blobId, lfs } = record(sibling)
  const large = record(lfs)
  if (typeof path !== 'string' || typeof size !== 'number') return undefined
  return {
    path,
    size: typeof large.size === 'number' ? large.size : size,
    hash: hashOf(large.sha256 ?? large.oid, blobId),
  }
}

function hashOf(sha256: unknown, blobId: unknown): ContentHash | undefined {
  if (typeof sha256 === 'string' && /^[0-9a-f]{64}$/.test(sha256)) return { algorithm: 'sha256', value: sha256 }
  return typeof blobId === 'string' && /^[0-9a-f]{40}$/.test(blobId) ? { algorithm: 'git', value: blobId } : undefined
}

/** A path of the repository becomes one on this disk: it must not lead out of the model's folder. */
function checkPath(id: ModelId, path: string): void {
  const parts = path.split('/')
  if (/[\\:\0]/.test(path) || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new HubError(
      'unsupported_model',
      `${id.repository} has a file with the name ${JSON.stringify(path)}, which is not safe to write. Do not use this model.`,
    )
  }
}

function notAHub(hub: Hub, cause: unknown): HubError {
  return new HubError('hub_unavailable', `${hub.endpoint} does not answer as a model hub does. Check HF_ENDPOINT.`, {
    cause,
  })
}

function record(value: unknown): Partial<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
