/** Opens weights however they are laid out: one file, shards with an index, or a folder of the hub's layout. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { readSafetensors, type TensorEntry, type Weights } from './safetensors.ts'
import { WeightsError } from './weights-error.ts'

const SHARD = /-\d{5}-of-\d{5}\.safetensors$/
const INDEX_SUFFIX = '.safetensors.index.json'
/** The names that diffusers and transformers look for first, before any variant (`model.fp16.safetensors`). */
const STANDARD_NAMES = ['diffusion_pytorch_model', 'model']

/**
 * Opens a checkpoint without reading its tensors.
 * @param path a `.safetensors` file, a `*.safetensors.index.json`, or a folder that holds one of these
 * @throws WeightsError when it is missing, broken, or when a folder leaves open which file is meant
 */
export async function openWeights(path: string): Promise<Weights> {
  const found = await stat(path).catch((cause: unknown) => {
    throw new WeightsError(
      'file_missing',
      path,
      `${path} does not exist. Check the path, or get it with \`kinora models pull\`.`,
      { cause },
    )
  })
  const file = found.isDirectory() ? await fileInFolder(path) : path
  return file.endsWith('.json') ? readShards(file) : readSafetensors(file)
}

/** Which file of a folder is the checkpoint: an index comes before a single file, a standard name before any other. */
async function fileInFolder(folder: string): Promise<string> {
  const names = await readdir(folder)
  const indexes = names.filter((name) => name.endsWith(INDEX_SUFFIX))
  const files = names.filter((name) => name.endsWith('.safetensors'))
  const singles = files.filter((name) => !SHARD.test(name))
  for (const stem of STANDARD_NAMES) {
    for (const name of [stem + INDEX_SUFFIX, `${stem}.safetensors`]) if (names.includes(name)) return join(folder, name)
  }
  const [first, second] = [...indexes, ...singles]
  if (first === undefined && files.length > 0) {
    const index = `${files[0]?.replace(SHARD, '')}${INDEX_SUFFIX}`
    throw new WeightsError(
      'bad_index',
      folder,
      `${folder} holds ${files.length} shards (${files.slice(0, 2).join(', ')}${files.length > 2 ? ', …' : ''}), but their index is missing (${index}). Copy it there from where the shards come from, or get it with \`kinora models pull\`.`,
    )
  }
  if (first === undefined) {
    throw new WeightsError(
      'file_missing',
      folder,
      `${folder} holds no .safetensors file and no index of shards. Get the weights with \`kinora models pull\`.`,
    )
  }
  if (second !== undefined) {
    const list = [...indexes, ...singles].join(', ')
    throw new WeightsError(
      'ambiguous',
      folder,
      `${folder} holds several checkpoints (${list}). Name the file that is meant.`,
    )
  }
  return join(folder, first)
}

async function readShards(index: string): Promise<Weights> {
  const map = await readWeightMap(index)
  const folder = dirname(index)
  const shards = new Map<string, Weights>()
  for (const name of new Set(map.values())) shards.set(name, await readShard(index, join(folder, name)))
  const tensors = new Map<string, TensorEntry>()
  for (const [name, shard] of map) {
    const entry = shards.get(shard)?.tensors.get(name)
    if (!entry) throw badIndex(index, `says that ${name} is in ${shard}, but it is not`)
    tensors.set(name, entry)
  }
  const opened = [...shards.values()]
  return { tensors, metadata: opened[0]?.metadata ?? {}, files: opened.flatMap((shard) => shard.files) }
}

async function readShard(index: string, file: string): Promise<Weights> {
  try {
    return await readSafetensors(file)
  } catch (error) {
    if (!(error instanceof WeightsError) || error.code !== 'file_missing') throw error
    const message = `${basename(index)} names the shard ${file}, which does not exist. Get the missing file with \`kinora models pull\`.`
    throw new WeightsError('file_missing', file, message, { cause: error })
  }
}

async function readWeightMap(index: string): Promise<Map<string, string>> {
  let parsed: unknown
  try {
    parsed = JSON.parse(await readFile(index, 'utf8'))
  } catch (cause) {
    throw badIndex(index, 'is not valid JSON', cause)
  }
  const map = typeof parsed === 'object' && parsed !== null && 'weight_map' in parsed ? parsed.weight_map : undefined
  if (typeof map !== 'object' || map === null) throw badIndex(index, 'has no weight_map')
  const entries = new Map<string, string>()
  for (const [name, shard] of Object.entries(map)) {
    // A shard is a neighbour of its index: a path that leaves the folder is an attack or a mistake.
    if (typeof shard !== 'string' || shard !== basename(shard) || shard.includes('\\')) {
      throw badIndex(index, `puts ${name} into ${JSON.stringify(shard)}, which is not a file beside it`)
    }
    entries.set(name, shard)
  }
  return entries
}

function badIndex(index: string, problem: string, cause?: unknown): WeightsError {
  return new WeightsError('bad_index', index, `${index} ${problem}. Download it again (\`kinora models pull\`).`, {
    cause,
  })
}
