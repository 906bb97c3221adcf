/** `/api/v1/jobs/:jobId/events` and `/api/v1/events`: jobs as they change, over server-sent events. */
import { EVENT_STREAM, HEADERS, isFinal, paths } from '@kinora/protocol'
import type { Snapshot } from '../core.ts'
import type { KinoraContext } from '../http/context.ts'
import { eventStream, eventStreamHeaders } from '../http/event-stream.ts'
import type { RouteParts } from './parts.ts'
import { plain, type Route, route } from './route.ts'

const lastEventId = { name: 'Last-Event-ID', description: 'The id of the last event that was received' }
const answers = { 200: plain('The stream', EVENT_STREAM) }

export const eventRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: paths.jobEvents.pattern,
    auth: 'apiKey',
    tag: 'events',
    summary: 'Watch a job',
    description:
      'Each event `job` is the whole job as it stands then. The first comes at once, and the stream ends after a final state.',
    id: 'The job',
    headers: [lastEventId],
    answers: { ...answers, 204: plain('The last event named was the final one: nothing comes after it') },
    errors: ['job_not_found', 'queue_unavailable'],
    async handle(request, parts) {
      const { context, tenant } = request
      const jobId = request.id('jobId')
      // Refusals come as an answer with a status, not inside a stream.
      const job = await parts.core.jobs.get(tenant, jobId)
      const lastEventId = readLastEventId(context)
      const snapshots = (signal: AbortSignal): AsyncIterable<Snapshot> =>
        parts.core.events.job(tenant, jobId, { lastEventId, signal })
      if (lastEventId !== undefined && isFinal(job.status) && !(await hasAny(snapshots))) {
        // The one answer after which a browser's EventSource does not come back.
        return context.body(null, 204)
      }
      return stream(context, parts, snapshots)
    },
  }),

  route({
    method: 'get',
    path: paths.events.pattern,
    auth: 'apiKey',
    tag: 'events',
    summary: 'Watch all jobs',
    description: 'The jobs that are open first, then whatever changes. One stream for a page that shows many jobs.',
    headers: [lastEventId],
    answers,
    errors: ['queue_unavailable'],
    async handle({ context, tenant }, parts) {
      await parts.core.jobs.list(tenant, { limit: 1 })
      const lastEventId = readLastEventId(context)
      return stream(context, parts, (signal) => parts.core.events.all(tenant, { lastEventId, signal }))
    },
  }),
]

/** Whether an ended job's stream has an event for somebody who has seen the one that he names. */
async function hasAny(snapshots: (signal: AbortSignal) => AsyncIterable<Snapshot>): Promise<boolean> {
  const enough = new AbortController()
  for await (const _ of snapshots(enough.signal)) {
    enough.abort()
    return true
  }
  return false
}

/** HEAD gets the headers alone: a stream whose body nobody reads would listen for ever. */
function stream(
  context: KinoraContext,
  { gate }: RouteParts,
  snapshots: (signal: AbortSignal) => AsyncIterable<Snapshot>,
): Response {
  if (context.req.method === 'HEAD') return new Response(null, { headers: eventStreamHeaders() })
  const { logger } = context.get('kinora')
  return eventStream({ snapshots, signals: [context.req.raw.signal, gate.signal], logger })
}

function readLastEventId(context: KinoraContext): string | undefined {
  const id = context.req.header(HEADERS.lastEventId)
  return id === '' ? undefined : id?.slice(0, 500)
}
