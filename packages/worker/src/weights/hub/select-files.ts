/** Which of a repository's files the engine needs: of hundreds of gigabytes, the few folders or the one checkpoint that are meant. */
import { HubError } from './hub-error.ts'
import type { HubFile, HubModel } from './listing.ts'
import { formatModelId, type ModelId } from './model-id.ts'

/** The folders of a diffusers checkpoint that are read. */
export const COMPONENTS: readonly string[] = [
  'scheduler',
  'transformer',
  'vae',
  'text_encoder',
  'tokenizer',
  'latent_upsampler',
]
/** What the authors' single files leave to the diffusers folders. */
const TEXT_COMPONENTS: readonly string[] = ['text_encoder', 'tokenizer']
const PIPELINE_INDEX = 'model_index.json'
const PIPELINES: readonly string[] = [
  'LTXPipeline',
  'LTXImageToVideoPipeline',
  'LTXConditionPipeline',
  'LTXLatentUpsamplePipeline',
]
const MAX_SMALL_BYTES = 4_000_000

/**
 * The files of a pull, small ones first.
 * @throws HubError `file_not_found`, `unsupported_model`
 */
export function selectFiles(id: ModelId, model: HubModel): HubFile[] {
  const chosen = id.file === undefined ? selectFolders(id, model) : selectSingleFile(id, id.file, model)
  const licenses = model.files.filter((file) => isLicense(file))
  return [...new Set([...licenses, ...chosen])].toSorted((a, b) => Number(isLarge(a)) - Number(isLarge(b)))
}

/**
 * Refuses a pipeline that no engine here runs, before its weights are downloaded.
 * @param index the content of `model_index.json`
 */
export function checkPipeline(id: ModelId, index: unknown): void {
  const name = typeof index === 'object' && index !== null && '_class_name' in index ? index._class_name : undefined
  if (typeof name === 'string' && PIPELINES.includes(name)) return
  const message = `${id.repository} is made for ${String(name)}, which Kinora does not run (it runs ${PIPELINES.join(', ')}). Nothing large was downloaded.`
  throw new HubError('unsupported_model', message)
}

/** Whether a file's content decides if the rest is worth downloading. */
export function isPipelineIndex(file: HubFile): boolean {
  return file.path === PIPELINE_INDEX
}

function selectFolders(id: ModelId, model: HubModel): HubFile[] {
  const index = model.files.find((file) => isPipelineIndex(file))
  if (!index) {
    throw new HubError(
      'unsupported_model',
      `${id.repository} has no ${PIPELINE_INDEX}: it is not in the diffusers layout. ${suggestFiles(id, model)}`,
    )
  }
  return [index, ...COMPONENTS.flatMap((component) => selectComponent(model, component))]
}

function selectSingleFile(id: ModelId, path: string, model: HubModel): HubFile[] {
  const checkpoint = model.files.find((file) => file.path === path)
  if (!checkpoint)
    throw new HubError('file_not_found', `${id.repository} has no file ${path}. ${suggestFiles(id, model)}`)
  // Files that are added to a checkpoint which is there already.
  if (/upsc?aler|upsampler|(?<![a-z])lora(?![a-z])/i.test(path)) return [checkpoint]
  return [
    ...TEXT_COMPONENTS.flatMap((component) => selectComponent(model, component)),
    ...upscalerFor(path, model),
    checkpoint,
  ]
}

/** From 0.9.7 on the authors' recipe has two passes with a latent upscaler between them, published beside the checkpoints. */
function upscalerFor(path: string, model: HubModel): HubFile[] {
  const version = /(\d+\.\d+\.\d+)/.exec(path)?.[1]
  return model.files.filter(
    (file) => version !== undefined && file.path.endsWith(`ltxv-spatial-upscaler-${version}.safetensors`),
  )
}

/** The small files of a component, and its weights in one edition: of formats safetensors, of layouts the standard name, shards before one file. */
export function selectComponent(model: HubModel, component: string): HubFile[] {
  const files = model.files.filter(
    (file) => file.path.startsWith(`${component}/`) && !file.path.slice(component.length + 1).includes('/'),
  )
  const weights = files.filter((file) => /\.safetensors(\.index\.json)?$/.test(file.path))
  const small = files.filter(
    (file) => !weights.includes(file) && /\.(json|model|txt)$/.test(file.path) && file.size < MAX_SMALL_BYTES,
  )
  const stems = [...new Set(weights.map((file) => stemOf(file.path)))]
  const stem =
    ['diffusion_pytorch_model', 'model'].map((name) => `${component}/${name}`).find((name) => stems.includes(name)) ??
    stems[0]
  const edition = weights.filter((file) => stemOf(file.path) === stem)
  const sharded = edition.some((file) => file.path.endsWith('.index.json'))
  return [...small, ...(sharded ? edition.filter((file) => file.path !== `${stem}.safetensors`) : edition)]
}

/** `transformer/diffusion_pytorch_model-00001-of-00002.safetensors` → `transformer/diffusion_pytorch_model`. */
function stemOf(path: string): string {
  return path.replace(/(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/, '')
}

function isLicense(file: HubFile): boolean {
  return !file.path.includes('/') && /licen[cs]e/i.test(file.path) && file.size < MAX_SMALL_BYTES
}

function isLarge(file: HubFile): boolean {
  return file.size >= MAX_SMALL_BYTES || file.path.endsWith('.safetensors')
}

function suggestFiles(id: ModelId, model: HubModel): string {
  const names = model.files
    .map((file) => file.path)
    .filter((path) => path.endsWith('.safetensors') && !path.includes('/'))
  const [first] = names
  if (first === undefined) return 'Name a model in the diffusers layout, such as Lightricks/LTX-Video.'
  return `It has ${names.slice(0, 12).join(', ')}: name one as ${formatModelId({ ...id, file: first })}.`
}
