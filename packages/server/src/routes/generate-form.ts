/** A form that makes a job: its fields are texts, its files go to the storage. */
import { createHash, randomUUID } from 'node:crypto'
import { GenerateFields, GenerateRequest, isSettingName, MAX_IMAGE_BYTES, settingFromText } from '@kinora/protocol'
import { ApiError } from '../api-error.ts'
import type { AcceptRequest } from '../core.ts'
import { check, tooLarge } from '../http/body.ts'
import type { KinoraContext } from '../http/context.ts'
import { uploadKey } from '../jobs/keys.ts'
import { askedPictures, type ReceivedFile, type ReceivedFiles } from './asked-pictures.ts'
import type { RouteParts } from './parts.ts'

/** The parts of a form that are files. */
const FILES = ['image', 'end_image'] as const

export interface ReceivedForm {
  readonly asked: AcceptRequest
  /** Removes its files from the storage: what was refused, or is there already, needs none. */
  discard(): Promise<void>
}

/** @throws ApiError; no file of a form that is refused is kept */
export async function readGenerateForm(
  context: KinoraContext,
  tenant: string,
  { core, storage }: Pick<RouteParts, 'core' | 'storage'>,
): Promise<ReceivedForm> {
  const form = await context.req.parseBody().catch((cause: unknown) => {
    throw new ApiError('invalid_request', 'The multipart/form-data body cannot be read.', { cause })
  })
  const kept: ReceivedFile[] = []
  const discard = async (): Promise<void> => void (await Promise.all(kept.map(({ key }) => storage.delete(key))))
  const fields: Record<string, unknown> = {}
  const files: { -readonly [name in keyof ReceivedFiles]: ReceivedFile } = {}
  try {
    for (const [name, value] of Object.entries(form)) {
      if (!isFileName(name)) fields[name] = fromText(name, value)
      else if (value instanceof File) files[name] = await keep(value)
      else if (value !== '') throw notAFile(name)
    }
    // Without a first picture of its own a form is as good as JSON.
    const parsed = files.image ? check(GenerateFields, fields) : check(GenerateRequest, fields)
    return { asked: askedPictures(parsed, files), discard }
  } catch (error) {
    await discard().catch(() => undefined)
    throw error
  }

  async function keep(file: File): Promise<ReceivedFile> {
    if (file.size > MAX_IMAGE_BYTES) throw tooLarge(MAX_IMAGE_BYTES)
    const bytes = new Uint8Array(await file.arrayBuffer())
    const upload_id = randomUUID()
    const received = {
      upload_id,
      key: uploadKey(tenant, upload_id),
      digest: createHash('sha256').update(bytes).digest('hex'),
    }
    kept.push(received)
    await storage.put(received.key, bytes, { contentType: file.type || 'application/octet-stream' })
    await core.uploads.arrived(received.key)
    return received
  }
}

function isFileName(name: string): name is (typeof FILES)[number] {
  return FILES.some((file) => file === name)
}

function notAFile(name: string): ApiError {
  return new ApiError(
    'invalid_request',
    `The part "${name}" has to be a file; an address goes into "${name}_url", an upload's id into "${name === 'image' ? 'upload_id' : 'end_upload_id'}".`,
    { issues: [{ path: name, message: 'has to be a file' }] },
  )
}

/** A form has texts only: numbers are read as numbers, objects and lists as JSON. An empty field was left empty. */
function fromText(name: string, value: unknown): unknown {
  if (value === '') return undefined
  if (typeof value !== 'string') return value
  if (isSettingName(name)) return settingFromText(name, value)
  if (name !== 'metadata' && name !== 'images') return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}
