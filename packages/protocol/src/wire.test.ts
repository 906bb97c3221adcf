import { describe, expect, test } from 'vitest'
import {
  ERROR_STATUS,
  FINAL_STATUSES,
  isFinal,
  JOB_STATUSES,
  JobStatus,
  paths,
  webhookPayload,
  WebhookPayload,
} from './index.ts'
import { fixtures, readFixture } from './fixtures/index.ts'

test('paths are the original contract’s, and ids in them are encoded', () => {
  expect(paths.generate()).toBe('/api/v1/generate')
  expect(paths.job('abc')).toBe('/api/v1/jobs/abc')
  expect(paths.job('../x?y#z')).toBe('/api/v1/jobs/..%2Fx%3Fy%23z')
  expect(paths.presignDownload('abc')).toBe('/api/v1/presign/download/abc')
  expect(paths.webhookComplete()).toBe('/webhook/complete')
})

test('final statuses are final, the others are not', () => {
  expect(JOB_STATUSES.filter(isFinal)).toEqual([...FINAL_STATUSES])
  expect(JobStatus.safeParse('cancelled').success).toBe(false)
})

test('every error code comes with a status of 400 or more', () => {
  for (const status of Object.values(ERROR_STATUS)) expect(status).toBeGreaterThanOrEqual(400)
})

describe('webhooks are built from the job', () => {
  test.each([['completed'], ['failed'], ['canceled']] as const)('%s', (status) => {
    const job = { ...readFixture(`job-${status}`), status }
    const payload = webhookPayload(job, job.completed_at ?? '')
    expect(payload).toEqual(fixtures[`webhook-${status}`].value)
    expect(WebhookPayload.parse(payload)).toEqual(payload)
  })
})
