/** Models that other programs have downloaded: the cache of Hugging Face's own libraries. */
import { readFile, readdir, realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { openWeights } from '../checkpoint.ts'
import type { ModelId } from './model-id.ts'
import type { Hub } from './options.ts'
import { COMPONENTS } from './select-files.ts'

/**
 * A snapshot in which everything is there that the engine needs, found without the network.
 * @returns the snapshot's folder, or the single file in it; undefined when there is none, or an incomplete one
 */
export async function findInHubCache(hub: Hub, id: ModelId): Promise<string | undefined> {
  if (hub.hubCacheDir === null) return undefined
  const home = join(hub.hubCacheDir, `models--${id.owner}--${id.name}`)
  const commit = await readFile(join(home, 'refs', id.revision), 'utf8').catch(() => id.revision)
  const snapshot = join(home, 'snapshots', commit.trim())
  try {
    if (id.file === undefined) return (await isWholePipeline(snapshot)) ? snapshot : undefined
    const file = join(snapshot, ...id.file.split('/'))
    await openWeights(file)
    for (const component of ['text_encoder', 'tokenizer']) await checkComponent(snapshot, component)
    return file
  } catch {
    return undefined
  }
}

async function isWholePipeline(snapshot: string): Promise<boolean> {
  const index: unknown = JSON.parse(await readFile(join(snapshot, 'model_index.json'), 'utf8'))
  const named = COMPONENTS.filter((component) => typeof index === 'object' && index !== null && component in index)
  for (const component of named) await checkComponent(snapshot, component)
  return named.length > 0
}

/** Opening the weights finds a shard that is missing or cut; a link to a blob that was never finished leads nowhere. */
async function checkComponent(snapshot: string, component: string): Promise<void> {
  const folder = join(snapshot, component)
  if (component === 'tokenizer') await stat(join(folder, 'spiece.model'))
  else if (component === 'scheduler') await stat(join(folder, 'scheduler_config.json'))
  else await Promise.all([stat(join(folder, 'config.json')), openWeights(folder)])
  for (const name of await readdir(folder)) await realpath(join(folder, name))
}
