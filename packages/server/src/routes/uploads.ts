/** `POST /api/v1/uploads` and the original `/api/v1/presign/*`: places in storage that a client reaches by itself. */
import { randomUUID } from 'node:crypto'
import {
  MAX_IMAGE_BYTES,
  paths,
  PresignDownload,
  PresignUpload,
  PresignUploadRequest,
  Upload,
  UploadRequest,
} from '@kinora/protocol'
import { uploadKey } from '../jobs/keys.ts'
import { json, type Route, route } from './route.ts'

/** Seconds, from the original contract. */
const UPLOAD_SECONDS = 3600
const DOWNLOAD_SECONDS = 86_400

export const uploadRoutes: readonly Route[] = [
  route({
    method: 'post',
    path: paths.uploads.pattern,
    auth: 'apiKey',
    tag: 'uploads',
    summary: 'Get a place for a picture',
    description: 'PUT the picture to `upload_url` with exactly `headers`, then name `upload_id` in a job within a day.',
    body: UploadRequest,
    answers: { 201: json(Upload, 'The place') },
    errors: ['invalid_request', 'storage_unavailable'],
    async handle(request, { storage }) {
      const { content_type, content_length } = await request.body()
      const upload_id = randomUUID()
      const { url, headers } = await storage.presignPut(uploadKey(request.tenant, upload_id), {
        contentType: content_type,
        contentLength: content_length,
        maxBytes: MAX_IMAGE_BYTES,
        expiresIn: UPLOAD_SECONDS,
      })
      const upload = { upload_id, upload_url: url, method: 'PUT', headers, expires_in: UPLOAD_SECONDS } as const
      return request.context.json(upload satisfies Upload, 201)
    },
  }),

  route({
    method: 'post',
    path: paths.presignUpload.pattern,
    auth: 'apiKey',
    tag: 'uploads',
    summary: 'Get a place for a picture, under an id of your own',
    description: 'The `job_id` of the request is the `upload_id` to name in a job.',
    body: PresignUploadRequest,
    answers: { 200: json(PresignUpload, 'The place') },
    errors: ['invalid_request', 'storage_unavailable'],
    async handle(request, { storage }) {
      const { job_id, content_type } = await request.body()
      const { url } = await storage.presignPut(uploadKey(request.tenant, job_id), {
        contentType: content_type,
        maxBytes: MAX_IMAGE_BYTES,
        expiresIn: UPLOAD_SECONDS,
      })
      return request.context.json({ upload_url: url, expires_in: UPLOAD_SECONDS } satisfies PresignUpload)
    },
  }),

  route({
    method: 'get',
    path: paths.presignDownload.pattern,
    auth: 'apiKey',
    tag: 'uploads',
    summary: 'Get a URL of the video',
    id: 'A completed job',
    answers: { 200: json(PresignDownload, 'The URL') },
    errors: ['job_not_found', 'job_not_completed', 'video_gone', 'queue_unavailable'],
    async handle(request, { core }) {
      const options = { expiresIn: DOWNLOAD_SECONDS }
      const url = await core.jobs.videoUrl(request.tenant, request.id('jobId'), options)
      return request.context.json({ download_url: url, expires_in: DOWNLOAD_SECONDS } satisfies PresignDownload)
    },
  }),
]
