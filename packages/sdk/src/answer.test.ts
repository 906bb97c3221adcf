/** The SDK's own checks against the protocol's schemas: whatever the schemas accept, the client must read. */
import { expect, test } from 'vitest'
import { Health, Job, JobList, WebhookPayload } from '@kinora/protocol'
import { fixtures, readFixture } from '@kinora/protocol/fixtures'
import { isJob, isJobList, readError } from './answer.ts'

test('every job of the protocol is a job to the client, and every list a list', () => {
  for (const { schema, value } of Object.values(fixtures)) {
    if (schema === Job) expect(isJob(value)).toBe(true)
    else if (schema === JobList) expect(isJobList(value)).toBe(true)
    else if (schema !== WebhookPayload && schema !== Health) expect(isJobList(value)).toBe(false)
  }
})

test('what lacks a field that the client relies on is refused', () => {
  const job = readFixture('job-queued')
  for (const wrong of [null, [], 'job', { ...job, job_id: 1 }, { ...job, status: 'cancelled' }, {}])
    expect(isJob(wrong)).toBe(false)
  const list = readFixture('job-list')
  for (const wrong of [null, [], { ...list, jobs: [{}] }, { jobs: [] }]) expect(isJobList(wrong)).toBe(false)
})

test('fields of a newer server do no harm', () => {
  expect(isJob({ ...readFixture('job-queued'), stage: 'dreaming', from_the_future: 1 })).toBe(true)
})

test.each([
  [
    'a nginx page',
    'text/html',
    '<html>\n<head><title>413 Request Entity Too Large</title></head></html>',
    '413 (text/html) "413 Request Entity Too Large"',
  ],
  ['plain text', 'text/plain', 'upstream connect error', '413 (text/plain) "upstream connect error"'],
  ['nothing', '', '', '413 (no content type)'],
  ['another JSON', 'application/json', '{"message":"nope"}', '413 (application/json) "{"message":"nope"}"'],
])('an error by %s is told in a few words', async (_name, type, body, words) => {
  const headers: HeadersInit = type === '' ? {} : { 'content-type': type }
  const response = new Response(body === '' ? null : body, { status: 413, headers })
  const error = await readError(response, 'PUT http://store/x', {})
  expect(error).toMatchObject({ code: 'http_413', message: `PUT http://store/x was answered with ${words}.` })
})
