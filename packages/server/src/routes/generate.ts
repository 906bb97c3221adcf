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
import { check, limitBody, readJson } from '../http/body.ts'
import { type KinoraContext, tenantOf } from '../http/context.ts'
import { inspectImage } from '../images/index.ts'
import { uploadKey } from '../jobs/keys.ts'
import type { Storage } from '../storage/index.ts'
import { body, described, json, parameter } from './describe.ts'
import type { Routes } from './parts.ts'

/** The picture, and room for the other fields. */
const MAX_FORM_BYTES = MAX_IMAGE_BYTES + 1024 * 1024

interface Asked {
  readonly image: ImageSource
  readonly request: Omit<ParsedGenerateRequest, 'image_url' | 'upload_id'>
  /** What to remove when the job is not made. */
  readonly uploaded?: string
}

export const generateRoutes: Routes = (app, { core, storage, requireTenant, publicUrl }) => {
  app.post(
    '/api/v1/generate',
    described({
      summary: 'Make a video',
      description:
        'Takes the picture as `image_url`, as `upload_id`, or as the part `image` of multipart/form-data, and answers with the queued job at once.',
      tag: 'jobs',
      auth: 'apiKey',
      parameters: [
        parameter(
          'header',
          'Idempotency-Key',
          'The same key with the same request makes one job, however often it is sent.',
          {
            type: 'string',
            maxLength: MAX_IDEMPOTENCY_KEY_LENGTH,
          },
        ),
      ],
      requestBody: withForm(body(GenerateRequest)),
      responses: { 201: json(Job, 'The job, queued') },
      errors: [
        'invalid_request',
        'unknown_model',
        'upload_not_found',
        'payload_too_large',
        'idempotency_mismatch',
        'queue_unavailable',
      ],
    }),
    requireTenant,
    limitBody(MAX_FORM_BYTES),
    async (context) => {
      const tenant = tenantOf(context)
      const idempotencyKey = readIdempotencyKey(context)
      const isForm = context.req.header('content-type')?.startsWith('multipart/form-data') ?? false
      const { uploaded, ...asked } = isForm
        ? await readForm(context, tenant, storage)
        : fromRequest(await readJson(context, GenerateRequest))
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
        if (uploaded) await storage.delete(uploaded).catch(() => undefined)
        throw error
      }
    },
  )
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
  if (image_url !== undefined) return { image: { image_url }, request }
  if (upload_id !== undefined) return { image: { upload_id }, request }
  throw new ApiError('invalid_request', 'This server takes one picture: "image_url" or "upload_id".', {
    issues: [{ path: 'images', message: 'are not taken by this server' }],
  })
}

async function readForm(context: KinoraContext, tenant: string, storage: Storage): Promise<Asked> {
  const form = await context.req.parseBody().catch((cause: unknown) => {
    throw new ApiError('invalid_request', 'The multipart/form-data body cannot be read.', { cause })
  })
  const { image, ...texts } = form
  const fields = Object.fromEntries(Object.entries(texts).map(([name, value]) => [name, fromText(name, value)]))
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
  const { contentType } = await inspectImage(bytes)
  const upload_id = randomUUID()
  const uploaded = uploadKey(tenant, upload_id)
  await storage.put(uploaded, bytes, { contentType })
  const digest = createHash('sha256').update(bytes).digest('hex')
  return { image: { upload_id, digest }, request, uploaded }
}

/** A form has texts only. An empty field was left empty. */
function fromText(name: string, value: unknown): unknown {
  if (value === '') return undefined
  if (typeof value !== 'string') return value
  return isSettingName(name) ? settingFromText(name, value) : value
}

/** hono-openapi cannot say "these fields and a file", so the form is described by hand. */
function withForm(requestBody: ReturnType<typeof body>): ReturnType<typeof body> {
  if (!('content' in requestBody)) return requestBody
  return {
    ...requestBody,
    content: {
      ...requestBody.content,
      'multipart/form-data': {
        schema: {
          type: 'object',
          description: 'The fields of the JSON request as texts, and the picture itself.',
          properties: {
            image: { type: 'string', format: 'binary' },
            prompt: { type: 'string' },
            duration: { type: 'integer' },
          },
          required: ['image'],
        },
      },
    },
  }
}
