/** `POST /api/v1/uploads` and the original `/api/v1/presign/*`: places in storage that a client reaches by itself. */
import { randomUUID } from 'node:crypto'
import {
  MAX_IMAGE_BYTES,
  PresignDownload,
  PresignUpload,
  PresignUploadRequest,
  Upload,
  UploadRequest,
} from '@kinora/protocol'
import { limitBody, readJson } from '../http/body.ts'
import { tenantOf } from '../http/context.ts'
import { uploadKey } from '../jobs/keys.ts'
import { body, described, json, parameter } from './describe.ts'
import type { Routes } from './parts.ts'

/** Seconds, from the original contract. */
const UPLOAD_SECONDS = 3600
const DOWNLOAD_SECONDS = 86_400

export const uploadRoutes: Routes = (app, { core, storage, requireTenant }) => {
  app.post(
    '/api/v1/uploads',
    described({
      summary: 'Get a place for a picture',
      description:
        'PUT the picture to `upload_url` with exactly `headers`, then name `upload_id` in a job within a day.',
      tag: 'uploads',
      auth: 'apiKey',
      requestBody: body(UploadRequest),
      responses: { 201: json(Upload, 'The place') },
      errors: ['invalid_request', 'payload_too_large', 'storage_unavailable'],
    }),
    requireTenant,
    limitBody(),
    async (context) => {
      const { content_type, content_length } = await readJson(context, UploadRequest)
      const upload_id = randomUUID()
      const { url, headers } = await storage.presignPut(uploadKey(tenantOf(context), upload_id), {
        contentType: content_type,
        contentLength: content_length,
        maxBytes: MAX_IMAGE_BYTES,
        expiresIn: UPLOAD_SECONDS,
      })
      const upload = { upload_id, upload_url: url, method: 'PUT', headers, expires_in: UPLOAD_SECONDS } as const
      return context.json(upload satisfies Upload, 201)
    },
  )

  app.post(
    '/api/v1/presign/upload',
    described({
      summary: 'Get a place for a picture, under an id of your own',
      description: 'The `job_id` of the request is the `upload_id` to name in a job.',
      tag: 'uploads',
      auth: 'apiKey',
      requestBody: body(PresignUploadRequest),
      responses: { 200: json(PresignUpload, 'The place') },
      errors: ['invalid_request', 'payload_too_large', 'storage_unavailable'],
    }),
    requireTenant,
    limitBody(),
    async (context) => {
      const { job_id, content_type } = await readJson(context, PresignUploadRequest)
      const { url } = await storage.presignPut(uploadKey(tenantOf(context), job_id), {
        contentType: content_type,
        maxBytes: MAX_IMAGE_BYTES,
        expiresIn: UPLOAD_SECONDS,
      })
      return context.json({ upload_url: url, expires_in: UPLOAD_SECONDS } satisfies PresignUpload)
    },
  )

  app.get(
    '/api/v1/presign/download/:jobId',
    described({
      summary: 'Get a URL of the video',
      tag: 'uploads',
      auth: 'apiKey',
      parameters: [parameter('path', 'jobId', 'A completed job')],
      responses: { 200: json(PresignDownload, 'The URL') },
      errors: ['job_not_found', 'job_not_completed', 'video_gone', 'queue_unavailable'],
    }),
    requireTenant,
    async (context) => {
      const options = { expiresIn: DOWNLOAD_SECONDS }
      const url = await core.jobs.videoUrl(tenantOf(context), context.req.param('jobId'), options)
      return context.json({ download_url: url, expires_in: DOWNLOAD_SECONDS } satisfies PresignDownload)
    },
  )
}
