/** `/api/v1/jobs`: a tenant's jobs. */
import { Job, JobList, PAGE } from '@kinora/protocol'
import * as z from 'zod/mini'
import { readQuery } from '../http/body.ts'
import { tenantOf } from '../http/context.ts'
import { described, json, parameter, plain } from './describe.ts'
import type { Routes } from './parts.ts'

/** Seconds that the redirect to a video leads there: a long film watched slowly, with pauses. */
const VIDEO_URL_SECONDS = 24 * 3600

const limitText = `must be a whole number from ${PAGE.min} to ${PAGE.max}`

const PageQuery = z.object({
  limit: z.optional(
    z.string().check(
      z.regex(/^\d{1,3}$/, limitText),
      z.refine((text) => Number(text) >= PAGE.min && Number(text) <= PAGE.max, limitText),
    ),
  ),
  cursor: z.optional(z.string().check(z.maxLength(500))),
})

const jobId = parameter('path', 'jobId', 'The id that POST /api/v1/generate answered')

export const jobRoutes: Routes = (app, { core, requireTenant }) => {
  app.get(
    '/api/v1/jobs',
    described({
      summary: 'List jobs, newest first',
      tag: 'jobs',
      auth: 'apiKey',
      parameters: [
        parameter('query', 'limit', 'Jobs on a page', {
          type: 'integer',
          minimum: PAGE.min,
          maximum: PAGE.max,
          default: PAGE.default,
        }),
        parameter('query', 'cursor', 'The `next_cursor` of the page before'),
      ],
      responses: { 200: json(JobList, 'One page') },
      errors: ['invalid_request', 'queue_unavailable'],
    }),
    requireTenant,
    async (context) => {
      const { limit, cursor } = readQuery(context, PageQuery)
      return context.json(
        await core.jobs.list(tenantOf(context), { limit: limit === undefined ? PAGE.default : Number(limit), cursor }),
      )
    },
  )

  app.get(
    '/api/v1/jobs/:jobId',
    described({
      summary: 'Look at a job',
      tag: 'jobs',
      auth: 'apiKey',
      parameters: [jobId],
      responses: { 200: json(Job, 'The job') },
      errors: ['job_not_found', 'queue_unavailable'],
    }),
    requireTenant,
    async (context) => context.json(await core.jobs.get(tenantOf(context), context.req.param('jobId'))),
  )

  app.delete(
    '/api/v1/jobs/:jobId',
    described({
      summary: 'Remove a job and its video',
      description: 'Cancels it first, if it has not ended.',
      tag: 'jobs',
      auth: 'apiKey',
      parameters: [jobId],
      responses: { 204: plain('Removed') },
      errors: ['job_not_found', 'queue_unavailable'],
    }),
    requireTenant,
    async (context) => {
      await core.jobs.remove(tenantOf(context), context.req.param('jobId'))
      return context.body(null, 204)
    },
  )

  app.post(
    '/api/v1/jobs/:jobId/cancel',
    described({
      summary: 'Cancel a job',
      description: 'A job that has ended already stays as it is.',
      tag: 'jobs',
      auth: 'apiKey',
      parameters: [jobId],
      responses: { 200: json(Job, 'The job as it stands now') },
      errors: ['job_not_found', 'queue_unavailable'],
    }),
    requireTenant,
    async (context) => context.json(await core.jobs.cancel(tenantOf(context), context.req.param('jobId'))),
  )

  app.get(
    '/api/v1/jobs/:jobId/video',
    described({
      summary: 'Get the video',
      tag: 'jobs',
      auth: 'apiKey',
      parameters: [jobId],
      responses: { 302: plain('Leads to a signed URL of the mp4') },
      errors: ['job_not_found', 'job_not_completed', 'video_gone', 'queue_unavailable'],
    }),
    requireTenant,
    async (context) => {
      const options = { expiresIn: VIDEO_URL_SECONDS }
      return context.redirect(await core.jobs.videoUrl(tenantOf(context), context.req.param('jobId'), options), 302)
    },
  )
}
