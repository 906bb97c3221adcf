/** The answers to whoever wants more than he may. Each says when to come back. */
import { ApiError } from '../api-error.ts'

/** Seconds: jobs end one after the other, and a whole queue takes longer. */
const WHEN_JOBS_END = 10
const WHEN_THE_QUEUE_IS_SHORTER = 30

export function tooManyJobs(limit: number): ApiError {
  const words = `There are ${limit} jobs of yours that have not ended, and no more are taken. Wait for one of them, or cancel one.`
  return new ApiError('too_many_jobs', words, { retryAfter: WHEN_JOBS_END })
}

export function queueFull(): ApiError {
  return new ApiError('queue_full', 'The queue is full. Nothing was taken; try again later.', {
    retryAfter: WHEN_THE_QUEUE_IS_SHORTER,
  })
}

/** @param wait seconds */
export function tooManyRequests(limit: number, wait: number): ApiError {
  return new ApiError('too_many_requests', `More than ${limit} requests came in a minute: wait ${wait} s.`, {
    retryAfter: wait,
  })
}

/** @param wait seconds */
export function tooManyBytes(limit: number, wait: number): ApiError {
  return new ApiError(
    'too_many_bytes',
    `Your pictures have more than the ${limit} bytes that are taken in a day. Send fewer or smaller ones, or wait ${wait} s.`,
    { retryAfter: wait },
  )
}
