/** `/api/v1/leases`: how workers get jobs and end them. */
import {
  CompleteRequest,
  FailRequest,
  Heartbeat,
  HeartbeatRequest,
  Lease,
  LeaseEnd,
  LeaseRequest,
} from '@kinora/protocol'
import * as z from 'zod/mini'
import { ApiError } from '../api-error.ts'
import { limitBody, readJson } from '../http/body.ts'
import type { KinoraContext } from '../http/context.ts'
import { joinSignals } from '../join-signals.ts'
import { body, described, json, parameter, plain } from './describe.ts'
import type { Routes } from './parts.ts'

const leaseParameter = parameter('path', 'leaseId', 'The secret that the claim answered')
const LeaseId = z.uuid()

export const leaseRoutes: Routes = (app, { core, gate, requireWorker }) => {
  app.post(
    '/api/v1/leases',
    described({
      summary: 'Claim a job',
      description: 'Waits for one as long as `wait` says.',
      tag: 'workers',
      auth: 'workerToken',
      requestBody: body(LeaseRequest),
      responses: { 200: json(Lease, 'A job to work on'), 204: plain('None came in time: ask again') },
      errors: ['invalid_request', 'unknown_model', 'queue_unavailable', 'shutting_down'],
    }),
    requireWorker,
    limitBody(),
    async (context) => {
      const { signal: client } = context.req.raw
      const claim = await readJson(context, LeaseRequest)
      const { signal, release } = joinSignals([client, gate.signal])
      const lease = await core.leases.claim({ ...claim, signal }).finally(release)
      if (!lease) return context.body(null, 204)
      if (client.aborted) {
        // Nobody is there to take it: without this the job would wait for the lease to run out.
        await core.leases.release(lease.lease_id)
        return context.body(null, 204)
      }
      return context.json(lease)
    },
  )

  app.post(
    '/api/v1/leases/:leaseId/heartbeat',
    described({
      summary: 'Keep a job',
      tag: 'workers',
      auth: 'workerToken',
      parameters: [leaseParameter],
      requestBody: body(HeartbeatRequest),
      responses: { 200: json(Heartbeat, 'How long it is kept now, and whether to stop') },
      errors: ['invalid_request', 'lease_lost', 'queue_unavailable'],
    }),
    requireWorker,
    limitBody(),
    async (context) =>
      context.json(await core.leases.heartbeat(leaseId(context), await readJson(context, HeartbeatRequest))),
  )

  app.post(
    '/api/v1/leases/:leaseId/complete',
    described({
      summary: 'Finish a job',
      description: 'After the video lies where the lease said. Repeating it is safe.',
      tag: 'workers',
      auth: 'workerToken',
      parameters: [leaseParameter],
      requestBody: body(CompleteRequest),
      responses: { 200: json(LeaseEnd, 'How the job stands now') },
      errors: ['invalid_request', 'lease_lost', 'upload_conflict', 'queue_unavailable'],
    }),
    requireWorker,
    limitBody(),
    async (context) =>
      context.json(await core.leases.complete(leaseId(context), await readJson(context, CompleteRequest))),
  )

  app.post(
    '/api/v1/leases/:leaseId/fail',
    described({
      summary: 'Report a failure',
      tag: 'workers',
      auth: 'workerToken',
      parameters: [leaseParameter],
      requestBody: body(FailRequest),
      responses: { 200: json(LeaseEnd, '`queued` when it will be tried again') },
      errors: ['invalid_request', 'lease_lost', 'queue_unavailable'],
    }),
    requireWorker,
    limitBody(),
    async (context) => context.json(await core.leases.fail(leaseId(context), await readJson(context, FailRequest))),
  )

  app.post(
    '/api/v1/leases/:leaseId/release',
    described({
      summary: 'Give a job back',
      description: 'Without using up one of its attempts.',
      tag: 'workers',
      auth: 'workerToken',
      parameters: [leaseParameter],
      responses: { 200: json(LeaseEnd, 'How the job stands now') },
      errors: ['lease_lost', 'queue_unavailable'],
    }),
    requireWorker,
    async (context) => context.json(await core.leases.release(leaseId(context))),
  )
}

/** BullMQ's own token "0" passes every lock, so nothing but a UUID goes further. */
function leaseId(context: KinoraContext): string {
  const id = LeaseId.safeParse(context.req.param('leaseId'))
  if (!id.success) throw new ApiError('lease_lost', 'This is not the id of a lease.')
  return id.data
}
