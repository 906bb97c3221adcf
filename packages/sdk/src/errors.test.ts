import { expect, test } from 'vitest'
import { readFixture } from '@kinora/protocol/fixtures'
import {
  ApiError,
  ConnectionError,
  InputError,
  isApiError,
  isConnectionError,
  isInputError,
  isJobCanceledError,
  isJobFailedError,
  isKinoraError,
  isTimeoutError,
  isUnexpectedResponseError,
  JobCanceledError,
  JobFailedError,
  KinoraError,
  TimeoutError,
  UnexpectedResponseError,
} from './errors.ts'

const failed = readFixture('job-failed')
const examples: [KinoraError, (error: unknown) => boolean][] = [
  [new ApiError('not_found', 'Not found', { status: 404 }), isApiError],
  [new ConnectionError('No way', { jobId: 'job_1', cause: new Error('reset') }), isConnectionError],
  [new TimeoutError('Too late', { jobId: 'job_1' }), isTimeoutError],
  [new JobFailedError(failed), isJobFailedError],
  [new JobCanceledError(readFixture('job-canceled')), isJobCanceledError],
  [new InputError('invalid_image', 'No picture'), isInputError],
  [new UnexpectedResponseError('A shop', 200, {}), isUnexpectedResponseError],
]

test('each guard knows its own kind, and isKinoraError all of them', () => {
  const guards = examples.map(([, guard]) => guard)
  for (const [error, own] of examples) {
    expect(guards.filter((guard) => guard(error))).toEqual([own])
    expect(isKinoraError(error)).toBe(true)
    expect(error).toBeInstanceOf(KinoraError)
    expect(error.name).toBe(error.constructor.name)
  }
})

test('guards know errors of another copy of the SDK, and nothing else', () => {
  const foreign = Object.assign(new Error('from another bundle'), { [Symbol.for('@kinora/sdk/error')]: 'timeout' })
  expect([isKinoraError(foreign), isTimeoutError(foreign), isApiError(foreign)]).toEqual([true, true, false])
  for (const other of [new Error('x'), new DOMException('x', 'TimeoutError'), { name: 'ApiError' }, null, 'text']) {
    expect(isKinoraError(other)).toBe(false)
  }
})

test('a failed job’s error says why, and carries the job', () => {
  const error = new JobFailedError(failed)
  expect(error.message).toBe('Job job_4f8bQm2XkT failed: image_url answered 404: the picture is not there (any more).')
  expect([error.code, error.jobId, error.job]).toEqual(['image_unreachable', 'job_4f8bQm2XkT', failed])
})

test('causes are kept, and absent fields are absent', () => {
  const error = new ConnectionError('No way', { cause: new Error('reset') })
  expect(error.cause).toMatchObject({ message: 'reset' })
  expect(Object.keys(error).sort()).toEqual(['code', 'name'])
})
