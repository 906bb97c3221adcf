/** The checker's own proof: it finds nothing where all is well, and each broken promise where one was broken. */
import { expect, test } from 'vitest'
import { check } from './checker.ts'
import type { LeaseSeen, Sighting, Told } from './told.ts'

const at = '2026-03-14T09:26:53.000Z'
const lease = (more: Partial<LeaseSeen> = {}): LeaseSeen => ({
  leaseId: 'l1',
  jobId: 'a',
  attempt: 1,
  worker: 'w1',
  began: 0,
  outcome: { word: 'complete', status: 'completed' },
  ...more,
})
const seen = (began: number, job: Partial<Sighting['job']>, observer = 'poll'): Sighting => ({
  observer,
  began,
  ended: began + 1,
  job: { job_id: 'a', status: 'queued', attempt: 0, ...job },
})
const completed = { status: 'completed', attempt: 1, progress: 100, completed_at: at } as const

const good: Told = {
  acceptances: [{ tenant: 't', idempotencyKey: 'k', jobId: 'a', webhook: true }],
  sightings: [
    seen(0, {}),
    seen(2, { status: 'processing', attempt: 1, progress: 20 }),
    seen(4, { status: 'queued', attempt: 1 }),
    seen(6, { status: 'processing', attempt: 2, progress: 0 }),
    seen(8, { ...completed, attempt: 2 }),
  ],
  leases: [lease({ outcome: { word: 'fail', status: 'queued' } }), lease({ leaseId: 'l2', attempt: 2 })],
  messages: [
    { webhookId: 'm', type: 'job.completed', jobId: 'a', data: { job_id: 'a', status: 'completed', completed_at: at } },
  ],
  refusedMessages: [],
  harms: [{ what: 'killed the worker', jobId: 'a', attempt: 1 }],
  deleted: new Set(),
  objects: ['inputs/a/input.jpg', 'outputs/a/output.mp4', 'leases/l1/output.mp4'],
  whole: new Set(['a']),
}

test('nothing is wrong where nothing is', () => {
  expect(check(good)).toEqual([])
})

test.each<[string, Partial<Told>, RegExp]>([
  [
    'two jobs of one key',
    { acceptances: [...good.acceptances, { ...good.acceptances[0]!, jobId: 'b' }], deleted: new Set(['b']) },
    /key t k made 2 jobs: a, b/,
  ],
  ['a job that never ends', { sightings: good.sightings.slice(0, 4) }, /a was accepted and never ended/],
  [
    'two ends',
    { sightings: [...good.sightings, seen(0, { status: 'canceled', completed_at: at }, 'other')] },
    /ended more than once/,
  ],
  [
    'another moment of the end',
    { sightings: [...good.sightings, seen(0, { ...completed, attempt: 2, completed_at: 'later' }, 'other')] },
    /ended more than once/,
  ],
  ['a broken video', { whole: new Set() }, /without a whole video/],
  [
    'an end taken back',
    { sightings: [...good.sightings, seen(10, { status: 'processing', attempt: 2 })] },
    /poll of a: completed, then processing/,
  ],
  [
    'an attempt taken back',
    {
      sightings: [...good.sightings.slice(0, 4), seen(7, { status: 'queued', attempt: 1 }), ...good.sightings.slice(4)],
    },
    /attempt 2, then attempt 1/,
  ],
  [
    'progress taken back',
    {
      sightings: [
        ...good.sightings.slice(0, 2),
        seen(3, { status: 'processing', attempt: 1, progress: 10 }),
        ...good.sightings.slice(2),
      ],
    },
    /progress 20, then 10 in attempt 1/,
  ],
  [
    'a failure without reason',
    {
      sightings: [seen(0, { status: 'failed', attempt: 3, error_code: 'worker_lost', completed_at: at })],
      messages: [],
    },
    /only 1 of its attempts were harmed/,
  ],
  ['no message', { messages: [] }, /its message never came/],
  ['two messages', { messages: [...good.messages, { ...good.messages[0]!, webhookId: 'n' }] }, /a has 2 messages/],
  ['a message of another end', { messages: [{ ...good.messages[0]!, type: 'job.failed' }] }, /says job.failed/],
  [
    'a message about another job',
    { messages: [{ ...good.messages[0]!, data: { ...good.messages[0]!.data, job_id: 'b' } }] },
    /is about b/,
  ],
  [
    'a message that nobody asked for',
    { acceptances: [{ ...good.acceptances[0]!, webhook: false }] },
    /asked for no message/,
  ],
  ['a forged message', { refusedMessages: ['wrong signature'] }, /could not be verified/],
  ['one lease for two', { leases: [...good.leases, lease({ worker: 'w2' })] }, /Lease l1 was given to w1 and w2/],
  ['two completions', { leases: [lease(), lease({ leaseId: 'l2', attempt: 2 })] }, /completed by 2 leases/],
  [
    'a fourth attempt',
    { leases: [...good.leases, lease({ leaseId: 'l4', attempt: 4, outcome: { word: 'fail', status: 'failed' } })] },
    /for attempt 4/,
  ],
  ['a picture of a deleted job', { deleted: new Set(['a']) }, /inputs\/a\/input.jpg lies in the storage without a job/],
  ['results of an unknown lease', { objects: ['leases/x/output.mp4'] }, /nobody was given that lease/],
])('%s', (_name, broken, fault) => {
  expect(check({ ...good, ...broken }).join('\n')).toMatch(fault)
})

test('answers that crossed on the way are no regress', () => {
  const slow: Sighting = { ...seen(1, {}), ended: 20 }
  expect(check({ ...good, sightings: [...good.sightings, slow] })).toEqual([])
})
