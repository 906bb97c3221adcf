/** `/api/v1/leases`: how workers get jobs and end them. */
import {
  CompleteRequest,
  FailRequest,
  Heartbeat,
  HeartbeatRequest,
  Lease,
  LeaseEnd,
  LeaseRequest,
  paths,
} from '@kinora/protocol'
import * as z from 'zod/mini'
import { ApiError } from '../api-error.ts'
import { joinSignals } from '../join-signals.ts'
import { json, plain, type Route, route } from './route.ts'

const id = 'The secret that the claim answered'
const LeaseId = z.uuid()

/** What the routes of one lease share. */
const ofLease = { method: 'post', auth: 'workerToken', tag: 'workers', chatty: true, id } as const

export const leaseRoutes: readonly Route[] = [
  route({
    method: 'post',
    path: paths.leases.pattern,
    auth: 'workerToken',
    tag: 'workers',
    chatty: true,
    summary: 'Claim a job',
    description: 'Waits for one as long as `wait` says.',
    body: LeaseRequest,
    answers: { 200: json(Lease, 'A job to work on'), 204: plain('None came in time: ask again') },
    errors: ['invalid_request', 'unknown_model', 'queue_unavailable', 'shutting_down'],
    async handle(request, { core, gate }) {
      const { signal: client } = request.context.req.raw
      const claim = await request.body()
      const { signal, release } = joinSignals([client, gate.signal])
      const lease = await core.leases.claim({ ...claim, signal }).finally(release)
      if (!lease) return request.context.body(null, 204)
      if (client.aborted) {
        // Nobody is there to take it: without this the job would wait for the lease to run out.
        await core.leases.release(lease.lease_id)
        return request.context.body(null, 204)
      }
      return request.context.json(lease)
    },
  }),

  route({
    ...ofLease,
    path: paths.heartbeat.pattern,
    summary: 'Keep a job',
    body: HeartbeatRequest,
    answers: { 200: json(Heartbeat, 'How long it is kept now, and whether to stop') },
    errors: ['invalid_request', 'lease_lost', 'queue_unavailable'],
    handle: async (request, { core }) =>
      request.context.json(await core.leases.heartbeat(checkLeaseId(request.id('leaseId')), await request.body())),
  }),

  route({
    ...ofLease,
    path: paths.complete.pattern,
    summary: 'Finish a job',
    description: 'After the video lies where the lease said. Repeating it is safe.',
    body: CompleteRequest,
    answers: { 200: json(LeaseEnd, 'How the job stands now') },
    errors: ['invalid_request', 'lease_lost', 'upload_conflict', 'queue_unavailable'],
    handle: async (request, { core }) =>
      request.context.json(await core.leases.complete(checkLeaseId(request.id('leaseId')), await request.body())),
  }),

  route({
    ...ofLease,
    path: paths.fail.pattern,
    summary: 'Report a failure',
    body: FailRequest,
    answers: { 200: json(LeaseEnd, '`queued` when it will be tried again') },
    errors: ['invalid_request', 'lease_lost', 'queue_unavailable'],
    handle: async (request, { core }) =>
      request.context.json(await core.leases.fail(checkLeaseId(request.id('leaseId')), await request.body())),
  }),

  route({
    ...ofLease,
    path: paths.release.pattern,
    summary: 'Give a job back',
    description: 'Without using up one of its attempts.',
    answers: { 200: json(LeaseEnd, 'How the job stands now') },
    errors: ['lease_lost', 'queue_unavailable'],
    handle: async (request, { core }) =>
      request.context.json(await core.leases.release(checkLeaseId(request.id('leaseId')))),
  }),
]

/** BullMQ's own token "0" passes every lock, so nothing but a UUID goes further. */
function checkLeaseId(text: string): string {
  const parsed = LeaseId.safeParse(text)
  if (!parsed.success) throw new ApiError('lease_lost', 'This is not the id of a lease.')
  return parsed.data
}
