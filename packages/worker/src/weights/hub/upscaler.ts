/** Latent upscalers that live in a repository of their own: the folders of 0.9.7 and 0.9.8 lack the network that works between the authors' two passes. */

import { HubError } from './hub-error.ts'
import { readListing, type HubFile, type HubModel } from './listing.ts'
import { parseModelId, type ModelId } from './model-id.ts'
import type { Hub } from './options.ts'
import { selectComponent } from './select-files.ts'

const COMPONENT = 'latent_upsampler'

/** By name of the model; 0.9.8's upscaler is that of 0.9.7. (diffusers: docs of LTX-Video; the authors' copy of it in Lightricks/LTX-Video) */
const homes: readonly (readonly [model: RegExp, upscaler: string])[] = [
  [/^LTX-Video-0\.9\.[78]/i, 'ltxv-spatial-upscaler-0.9.7'],
]

export interface Upscaler {
  readonly model: HubModel
  /** To be laid beside the model's own folders. */
  readonly files: readonly HubFile[]
}

/**
 * The upscaler that belongs to a model in folders and is not among them.
 * @returns undefined where there is none, or the hub does not let us have it: without it a video is made in one pass, and says so
 * @throws HubError
 */
export async function findUpscaler(hub: Hub, id: ModelId, model: HubModel): Promise<Upscaler | undefined> {
  const name = homes.find(([pattern]) => pattern.test(id.name))?.[1]
  const isThere = model.files.some(({ path }) => path.startsWith(`${COMPONENT}/`))
  if (id.file !== undefined || name === undefined || isThere) return undefined
  try {
    const found = await readListing(hub, parseModelId(`${id.owner}/${name}`))
    const from = { repository: found.repository, commit: found.commit }
    return { model: found, files: selectComponent(found, COMPONENT).map((file) => ({ ...file, from })) }
  } catch (error) {
    const isClosed = error instanceof HubError && ['model_not_found', 'unauthorized', 'gated'].includes(error.code)
    if (isClosed) return undefined
    throw error
  }
}
