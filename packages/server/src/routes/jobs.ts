/** `/api/v1/jobs`: a tenant's jobs. */
import { CopyRequest, CopyResult, Job, JobList, PAGE, paths } from '@kinora/protocol'
import * as z from 'zod/mini'
import { wholeNumber } from '../http/query.ts'
import { json, plain, type Route, route } from './route.ts'

/** Seconds that the redirect to a video leads there: a long film watched slowly, with pauses. */
const VIDEO_URL_SECONDS = 24 * 3600

const PageQuery = z.object({
  limit: z._default(wholeNumber(PAGE), PAGE.default),
  cursor: z.optional(z.string().check(z.maxLength(500))),
})

const id = 'The id that POST /api/v1/generate answered'

export const jobRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: paths.jobs.pattern,
    auth: 'apiKey',
    tag: 'jobs',
    summary: 'List jobs, newest first',
    query: PageQuery,
    parameters: { limit: 'Jobs on a page', cursor: 'The `next_cursor` of the page before' },
    answers: { 200: json(JobList, 'One page') },
    errors: ['invalid_request', 'queue_unavailable'],
    handle: async (request, { core }) => request.context.json(await core.jobs.list(request.tenant, request.query())),
  }),

  route({
    method: 'get',
    path: paths.job.pattern,
    auth: 'apiKey',
    tag: 'jobs',
    summary: 'Look at a job',
    id,
    answers: { 200: json(Job, 'The job') },
    errors: ['job_not_found', 'queue_unavailable'],
    handle: async (request, { core }) => request.context.json(await core.jobs.get(request.tenant, request.id('jobId'))),
  }),

  route({
    method: 'delete',
    path: paths.job.pattern,
    auth: 'apiKey',
    tag: 'jobs',
    summary: 'Remove a job and its video',
    description: 'Cancels it first, if it has not ended.',
    id,
    answers: { 204: plain('Removed') },
    errors: ['job_not_found', 'queue_unavailable'],
    async handle(request, { core }) {
      await core.jobs.remove(request.tenant, request.id('jobId'))
      return request.context.body(null, 204)
    },
  }),

  route({
    method: 'post',
    path: paths.cancel.pattern,
    auth: 'apiKey',
    tag: 'jobs',
    summary: 'Cancel a job',
    description: 'A job that has ended already stays as it is.',
    id,
    answers: { 200: json(Job, 'The job as it stands now') },
    errors: ['job_not_found', 'queue_unavailable'],
    handle: async (request, { core }) =>
      request.context.json(await core.jobs.cancel(request.tenant, request.id('jobId'))),
  }),

  route({
    method: 'get',
    path: paths.video.pattern,
    auth: 'apiKey',
    tag: 'jobs',
    summary: 'Get the video',
    id,
    answers: { 302: plain('Leads to a signed URL of the mp4') },
    errors: ['job_not_found', 'job_not_completed', 'video_gone', 'queue_unavailable'],
    async handle(request, { core }) {
      const options = { expiresIn: VIDEO_URL_SECONDS }
      return request.context.redirect(await core.jobs.videoUrl(request.tenant, request.id('jobId'), options), 302)
    },
  }),

  route({
    method: 'post',
    path: paths.copy.pattern,
    auth: 'apiKey',
    tag: 'jobs',
    summary: 'Send the video to a storage of yours',
    description: 'Straight from our storage to `upload_url`, within two minutes. Redirects are not followed.',
    id,
    body: CopyRequest,
    answers: { 200: json(CopyResult, 'How the other storage took it') },
    errors: [
      'invalid_request',
      'job_not_found',
      'job_not_completed',
      'video_gone',
      'payload_too_large',
      'copy_failed',
      'queue_unavailable',
    ],
    async handle(request, { core }) {
      const to = { ...(await request.body()), signal: request.context.req.raw.signal }
      return request.context.json(await core.jobs.copyVideo(request.tenant, request.id('jobId'), to))
    },
  }),
]
