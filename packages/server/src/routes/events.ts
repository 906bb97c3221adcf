/** `/api/v1/jobs/:jobId/events` and `/api/v1/events`: jobs as they change, over server-sent events. */
import { EVENT_STREAM, HEADERS } from '@kinora/protocol'
import { type KinoraContext, tenantOf } from '../http/context.ts'
import { eventStream } from '../http/event-stream.ts'
import { described, parameter, plain } from './describe.ts'
import type { Routes } from './parts.ts'

const lastEventId = parameter('header', 'Last-Event-ID', 'The id of the last event that was received')

export const eventRoutes: Routes = (app, { core, gate, requireTenant }) => {
  app.get(
    '/api/v1/jobs/:jobId/events',
    described({
      summary: 'Watch a job',
      description:
        'Each event `job` is the whole job as it stands then. The first comes at once, and the stream ends after a final state.',
      tag: 'events',
      auth: 'apiKey',
      parameters: [parameter('path', 'jobId', 'The job'), lastEventId],
      responses: { 200: plain('The stream', EVENT_STREAM) },
      errors: ['job_not_found', 'queue_unavailable'],
    }),
    requireTenant,
    async (context) => {
      const tenant = tenantOf(context)
      const jobId = context.req.param('jobId')
      // Refusals come as an answer with a status, not inside a stream.
      await core.jobs.get(tenant, jobId)
      return eventStream({
        snapshots: (signal) => core.events.job(tenant, jobId, { lastEventId: readLastEventId(context), signal }),
        signals: [context.req.raw.signal, gate.signal],
        logger: context.get('kinora').logger,
      })
    },
  )

  app.get(
    '/api/v1/events',
    described({
      summary: 'Watch all jobs',
      description: 'The jobs that are open first, then whatever changes. One stream for a page that shows many jobs.',
      tag: 'events',
      auth: 'apiKey',
      parameters: [lastEventId],
      responses: { 200: plain('The stream', EVENT_STREAM) },
      errors: ['queue_unavailable'],
    }),
    requireTenant,
    async (context) => {
      const tenant = tenantOf(context)
      await core.jobs.list(tenant, { limit: 1 })
      return eventStream({
        snapshots: (signal) => core.events.all(tenant, { lastEventId: readLastEventId(context), signal }),
        signals: [context.req.raw.signal, gate.signal],
        logger: context.get('kinora').logger,
      })
    },
  )
}

function readLastEventId(context: KinoraContext): string | undefined {
  const id = context.req.header(HEADERS.lastEventId)
  return id === '' ? undefined : id?.slice(0, 500)
}
