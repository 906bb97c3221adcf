/** How long to wait: pure functions of what has happened so far. Milliseconds. */

const SECOND = 1000
const MINUTE = 60 * SECOND

/** Submissions before a job fails, unless the app says otherwise: about 17 hours of a server that cannot be reached. */
export const DEFAULT_MAX_ATTEMPTS = 100

/** A submission whose action never reported back is given up after this: longer than the requests in it may take. */
export const SUBMISSION_TIMEOUT = 3 * MINUTE

/** How long one request to the server may take. */
export const REQUEST_TIMEOUT = 30 * SECOND

/** How long fetching or sending a picture may take. */
export const TRANSFER_TIMEOUT = 60 * SECOND

/** How long the server may take to send a video to the app's storage: Convex gives such an upload two minutes. */
export const COPY_TIMEOUT = 150 * SECOND

/** A copy of a video that never reported back is given up after this: Convex ends actions after ten minutes. */
export const STORE_TIMEOUT = 11 * MINUTE

/** Attempts at copying a video. */
export const MAX_STORE_ATTEMPTS = 3

/** Attempts at calling the app's `onComplete`: about 20 minutes with the pauses between them. */
export const MAX_CALLBACK_ATTEMPTS = 10

/** A job whose server has not answered for so long is failed. */
export const UNREACHABLE_LIMIT = 24 * 60 * MINUTE

/** A job that has not ended after so long is failed. */
export const JOB_LIMIT = 7 * 24 * 60 * MINUTE

/** How long a server that has made a video may take to say where it is. */
export const RESULT_LIMIT = 10 * MINUTE

/** Telling the server that a job has ended here is begun anew after this, where it never came back. */
export const REPORT_TIMEOUT = 3 * MINUTE

/** How many times the server is told each hour at least; a server that is gone for good is told once a day after these. */
const HOURLY_TELLINGS = 200

/**
 * The pause after an attempt that failed: 1 s, 2 s, 4 s … up to 10 min, a fifth of it by chance so that many jobs do not come back at once.
 *
 * @param attempt 1 for the first
 * @param retryAfter what the server asked for; never waited less, and at most an hour
 * @param random 0..1
 */
export function retryPause(attempt: number, retryAfter = 0, random = Math.random()): number {
  const pause = Math.min(SECOND * 2 ** (attempt - 1), 10 * MINUTE)
  return Math.max(pause * (1 + random / 5), Math.min(retryAfter, 60 * MINUTE))
}

/**
 * The pause before the server is told again that a job has ended here: 1 s, 2 s, 4 s … up to an hour, and after more than a week a day. There is
 * no last attempt.
 *
 * @param attempt 1 for the first
 * @param retryAfter what the server asked for; never waited less, and at most an hour
 */
export function tellPause(attempt: number, retryAfter = 0): number {
  const longest = attempt < HOURLY_TELLINGS ? 60 * MINUTE : 24 * 60 * MINUTE
  return Math.max(Math.min(SECOND * 2 ** (attempt - 1), longest), Math.min(retryAfter, 60 * MINUTE))
}

/**
 * The pause before the server is asked again about a job: a part of the time that the job has been waiting or processing, so that a result which no
 * webhook brings is found at most a twelfth of that time late. Beside a webhook the end comes by itself, and only progress is asked for.
 *
 * @param waited since the job's status changed last
 */
export function pollPause(waited: number, hasWebhook: boolean): number {
  return hasWebhook ? between(5 * SECOND, waited / 3, 15 * MINUTE) : between(2 * SECOND, waited / 12, 5 * MINUTE)
}

function between(least: number, value: number, most: number): number {
  return Math.min(Math.max(value, least), most)
}
