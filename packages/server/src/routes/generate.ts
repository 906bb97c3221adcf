/** `POST /api/v1/generate`: makes a job, from JSON or from a form with the picture in it. */
import { createHash, randomUUID } from 'node:crypto'
import {
  GenerateFields,
  GenerateRequest,
  HEADERS,
  isSettingName,
  Job,
  MAX_IDEMPOTENCY_KEY_LENGTH,
  MAX_IMAGE_BYTES,
  type ParsedGenerateRequest,
  paths,
  settingFromText,
} from '@kinora/protocol'
import { ApiError } from '../api-error.ts'
import type { ImageSource } from '../core.ts'
import { check } from '../http/body.ts'
import type { KinoraContext } from '../http/context.ts'
import { uploadKey } from '../jobs/keys.ts'
import type { RouteParts } from './parts.ts'
import { json, type Route, route } from './route.ts'

/** The picture, and room for the other fields. */
const MAX_FORM_BYTES = MAX_IMAGE_BYTES + 1024 * 1024

/** A form's fields are texts, and one is a file: no schema of ours says that. */
const FORM = {
  type: 'object',
  description: 'The fields of the JSON request as texts, and the picture itself.',
  properties: {
    image: { type: 'string', contentMediaType: 'application/octet-stream' },
    prompt: { type: 'string' },
    duration: { type: 'integer' },
  },
  required: ['image'],
}

/** Which fields name the pictures: zod has a check for it, which JSON Schema does not see. */
const END = { anyOf: [{ required: ['end_image_url'] }, { required: ['end_upload_id'] }] }
const PICTURES = {
  oneOf: [{ required: ['image_url'] }, { required: ['upload_id'] }, { required: ['images'], not: END }],
  not: { required: ['end_image_url', 'end_upload_id'] },
}

interface Asked {
  readonly image: ImageSource
  readonly request: Omit<ParsedGenerateRequest, 'image_url' | 'upload_id'>
  /** What to remove when the job is not made. */
  readonly uploaded?: string
}

export const generateRoutes: readonly Route[] = [
  route({
    method: 'post',
    path: paths.generate.pattern,
    auth: 'apiKey',
    tag: 'jobs',
    summary: 'Make a video',
    description:
      'Takes the picture as `image_url`, as `upload_id`, or as the part `image` of multipart/form-data, and answers with the queued job at once.',
    headers: [
      {
        name: 'Idempotency-Key',
        description: 'The same key with the same request makes one job, however often it is sent.',
        minLength: 1,
        maxLength: MAX_IDEMPOTENCY_KEY_LENGTH,
      },
    ],
    body: GenerateRequest,
    bodyKeywords: PICTURES,
    form: FORM,
    maxBodyBytes: MAX_FORM_BYTES,
    answers: { 201: json(Job, 'The job, queued') },
    errors: [
      'invalid_request',
      'unknown_model',
      'upload_not_found',
      'idempotency_mismatch',
      'queue_unavailable',
      'storage_unavailable',
    ],
    async handle(request, { core, storage, publicUrl }) {
      const { context, tenant } = request
      const idempotencyKey = readIdempotencyKey(context)
      const { uploaded, ...asked } = isForm(context)
        ? await readForm(context, tenant, { core, storage })
        : fromRequest(await request.body())
      try {
        const { job, repeated } = await core.jobs.accept(tenant, asked, { idempotencyKey })
        context.get('kinora').jobId = job.job_id
        if (repeated) {
          context.header('idempotent-replayed', 'true')
          if (uploaded) await storage.delete(uploaded)
        }
        context.header('location', publicUrl() + paths.job(job.job_id))
        return context.json(job, 201)
      } catch (error) {
        // What was refused needs no picture; but a job may have been made of what failed for our own reasons, and will be gone on with.
        const refused = error instanceof ApiError && error.status < 500
        if (uploaded && refused) await storage.delete(uploaded).catch(() => undefined)
        throw error
      }
    },
  }),
]

function isForm(context: KinoraContext): boolean {
  return /^multipart\/form-data\b/i.test(context.req.header('content-type') ?? '')
}

function readIdempotencyKey(context: KinoraContext): string | undefined {
  const key = context.req.header(HEADERS.idempotencyKey)
  if (key === undefined) return undefined
  if (key === '' || key.length > MAX_IDEMPOTENCY_KEY_LENGTH) {
    throw new ApiError(
      'invalid_request',
      `The Idempotency-Key has to have 1 to ${MAX_IDEMPOTENCY_KEY_LENGTH} characters.`,
    )
  }
  return key
}

function fromRequest({ image_url, upload_id, ...request }: ParsedGenerateRequest): Asked {
  refuseFurtherPictures(request)
  if (image_url !== undefined) return { image: { image_url }, request }
  if (upload_id !== undefined) return { image: { upload_id }, request }
  throw new Error('GenerateRequest let a request without a picture through.')
}

const FURTHER_PICTURES = ['images', 'end_image_url', 'end_upload_id', 'end_image'] as const

/** A picture that was given and not used would be missed in the video only. */
function refuseFurtherPictures(given: Readonly<Record<string, unknown>>): void {
  const further = FURTHER_PICTURES.filter((name) => given[name] !== undefined)
  if (further.length === 0) return
  throw new ApiError(
    'invalid_request',
    `This server takes one picture, the first: leave ${further.join(', ')} away, and give "image_url", "upload_id" or the form's "image".`,
    { issues: further.map((path) => ({ path, message: 'is not taken by this server' })) },
  )
}

async function readForm(
  context: KinoraContext,
  tenant: string,
  { core, storage }: Pick<RouteParts, 'core' | 'storage'>,
): Promise<Asked> {
  const form = await context.req.parseBody().catch((cause: unknown) => {
    throw new ApiError('invalid_request', 'The multipart/form-data body cannot be read.', { cause })
  })
  const { image, ...texts } = form
  const fields = Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, fromText(name, value)]))
  refuseFurtherPictures(fields)
  if (!(image instanceof File)) {
    if (image === undefined) return fromRequest(check(GenerateRequest, fields))
    throw new ApiError('invalid_request', 'The part "image" has to be a file; an address goes into "image_url".', {
      issues: [{ path: 'image', message: 'has to be a file' }],
    })
  }

  const { image_url, upload_id: named, ...request } = check(GenerateFields, fields)
  if (image_url !== undefined || named !== undefined) {
    throw new ApiError('invalid_request', 'Give only one of "image", "image_url" and "upload_id".', {
      issues: [{ path: 'image', message: 'give only one of "image", "image_url" and "upload_id"' }],
    })
  }
  const bytes = new Uint8Array(await image.arrayBuffer())
  const upload_id = randomUUID()
  const uploaded = uploadKey(tenant, upload_id)
  await storage.put(uploaded, bytes, { contentType: image.type || 'application/octet-stream' })
  await core.uploads.arrived(uploaded)
  const digest = createHash('sha256').update(bytes).digest('hex')
  return { image: { upload_id, digest }, request, uploaded }
}

/** A form has texts only. An empty field was left empty. */
function fromText(name: string, value: unknown): unknown {
  if (value === '') return undefined
  if (typeof value !== 'string') return value
  return isSettingName(name) ? settingFromText(name, value) : value
}
