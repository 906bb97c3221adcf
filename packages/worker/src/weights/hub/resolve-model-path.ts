/** MODEL_PATH: a folder, a file, or a model of the hub. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { WeightsError } from '../weights-error.ts'
import { findInHubCache } from './hub-cache.ts'
import { HubError } from './hub-error.ts'
import { findPulled } from './models.ts'
import { formatModelId, isModelId, parseModelId } from './model-id.ts'
import { withDefaults } from './options.ts'
import { pullModel, type PullOptions } from './pull-model.ts'

export interface ResolveOptions extends Omit<PullOptions, 'id'> {
  /** Whether a model that is not here yet is downloaded. Default: true. */
  readonly pull?: boolean | undefined
}

/**
 * Where the model lies on this disk. Without the network if it is here already: as a path, in Kinora's cache, or whole in a Hugging Face cache.
 * @param modelPathOrHubId a path, `owner/name` or `owner/name:file`
 * @returns the folder of a diffusers checkpoint, or the path of a single-file one
 * @throws WeightsError `file_missing`; HubError `not_pulled`, and those of {@link pullModel}
 */
export async function resolveModelPath(modelPathOrHubId: string, options: ResolveOptions = {}): Promise<string> {
  if (existsSync(modelPathOrHubId)) return resolve(modelPathOrHubId)
  if (!isModelId(modelPathOrHubId)) {
    const message = `${modelPathOrHubId} does not exist, and is no model of the hub either (owner/name, such as Lightricks/LTX-Video). Check MODEL_PATH.`
    throw new WeightsError('file_missing', modelPathOrHubId, message)
  }
  const hub = withDefaults(options)
  const id = parseModelId(modelPathOrHubId)
  const here = (await findPulled(hub, id))?.path ?? (await findInHubCache(hub, id))
  if (here !== undefined) return here
  if (options.pull === false) {
    throw new HubError(
      'not_pulled',
      `${formatModelId(id)} is not on this machine. Get it with \`kinora models pull ${formatModelId(id)}\`.`,
    )
  }
  return (await pullModel({ ...options, id: modelPathOrHubId })).path
}
