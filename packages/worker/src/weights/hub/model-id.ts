/** How a model is named: `owner/name`, with `@revision` and `:file` where they matter. */
import { HubError } from './hub-error.ts'

export interface ModelId {
  readonly owner: string
  readonly name: string
  /** `owner/name`. */
  readonly repository: string
  /** Branch, tag or commit. Default: `main`. */
  readonly revision: string
  /** A checkpoint of the authors' single-file kind within the repository. */
  readonly file: string | undefined
}

const PATTERN = /^(?<owner>\w[\w.-]*)\/(?<name>\w[\w.-]*)(?:@(?<revision>[\w.-]+))?(?::(?<file>[^:\\]+))?$/

/** Whether a text could name a model of the hub. */
export function isModelId(text: string): boolean {
  const file = PATTERN.exec(text)?.groups?.file
  return PATTERN.test(text) && !text.includes('..') && !file?.startsWith('/')
}

/**
 * `Lightricks/LTX-Video`, `Lightricks/LTX-Video:ltxv-2b-0.9.8-distilled.safetensors`, `Lightricks/LTX-Video@main`.
 * @throws HubError `bad_id`
 */
export function parseModelId(text: string): ModelId {
  const groups = isModelId(text) ? PATTERN.exec(text)?.groups : undefined
  const { owner, name, revision = 'main', file } = groups ?? {}
  if (owner === undefined || name === undefined) {
    const message = `${JSON.stringify(text)} is no model of the hub: write owner/name (Lightricks/LTX-Video), with :file for a single-file checkpoint.`
    throw new HubError('bad_id', message)
  }
  return { owner, name, repository: `${owner}/${name}`, revision, file }
}

/** The id as a user would write it. */
export function formatModelId(id: ModelId): string {
  return id.file === undefined ? id.repository : `${id.repository}:${id.file}`
}
