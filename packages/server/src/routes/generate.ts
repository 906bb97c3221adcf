/** `POST /api/v1/generate`: makes a job, from JSON or from a form with the picture in it. */
import { GenerateRequest, HEADERS, Job, MAX_IDEMPOTENCY_KEY_LENGTH, MAX_IMAGE_BYTES, paths } from '@kinora/protocol'
import { ApiError } from '../api-error.ts'
import type { KinoraContext } from '../http/context.ts'
import { askedPictures } from './asked-pictures.ts'
import { readGenerateForm } from './generate-form.ts'
import { json, type Route, route } from './route.ts'

/** First and last picture, and room for the other fields. */
const MAX_FORM_BYTES = 2 * MAX_IMAGE_BYTES + 1024 * 1024

const FILE = { type: 'string', contentMediaType: 'application/octet-stream' }

/** A form's fields are texts, and some are files: no schema of ours says that. */
const FORM = {
  type: 'object',
  description: 'The fields of the JSON request as texts, objects and lists as JSON, and the picture itself.',
  properties: {
    image: FILE,
    end_image: { ...FILE, description: 'The picture of the last frame' },
    prompt: { type: 'string' },
    duration: { type: 'integer' },
    metadata: { type: 'string', description: 'A small object of yours as JSON', contentMediaType: 'application/json' },
  },
  required: ['image'],
}

/** Which fields name the pictures: zod has a check for it, which JSON Schema does not see. */
const END = { anyOf: [{ required: ['end_image_url'] }, { required: ['end_upload_id'] }] }
const PICTURES = {
  oneOf: [{ required: ['image_url'] }, { required: ['upload_id'] }, { required: ['images'], not: END }],
  not: { required: ['end_image_url', 'end_upload_id'] },
}

export const generateRoutes: readonly Route[] = [
  route({
    method: 'post',
    path: paths.generate.pattern,
    auth: 'apiKey',
    tag: 'jobs',
    summary: 'Make a video',
    description:
      'Takes the picture as `image_url`, as `upload_id`, or as the part `image` of multipart/form-data, or several with their places in `images`, and answers with the queued job at once.',
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
      'too_many_jobs',
      'too_many_bytes',
      'queue_full',
      'queue_unavailable',
      'storage_unavailable',
    ],
    async handle(request, { core, storage, publicUrl }) {
      const { context, tenant } = request
      const idempotencyKey = readIdempotencyKey(context)
      const form = isForm(context) ? await readGenerateForm(context, tenant, { core, storage }) : undefined
      const asked = form?.asked ?? askedPictures(await request.body())
      try {
        const { job, repeated } = await core.jobs.accept(tenant, asked, { idempotencyKey })
        context.get('kinora').jobId = job.job_id
        if (repeated) {
          context.header('idempotent-replayed', 'true')
          await form?.discard()
        }
        context.header('location', publicUrl() + paths.job(job.job_id))
        return context.json(job, 201)
      } catch (error) {
        // What was refused needs no picture; but a job may have been made of what failed for our own reasons, and will be gone on with.
        const refused = error instanceof ApiError && (error.status < 500 || error.code === 'queue_full')
        if (refused) await form?.discard().catch(() => undefined)
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
