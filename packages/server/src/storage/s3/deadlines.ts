/**
 * How long calls to the bucket may take. The SDK's `requestTimeout` alone only warns, and ends with the headers: a server that accepts and never answers, or
 * stops in the middle, would hold its caller for minutes.
 */
import type { S3ClientConfig } from '@aws-sdk/client-s3'

/** Bytes a second that a bucket is expected to take at least. */
const SLOWEST = 128 * 1024

/** How much longer than a plain call the server itself may copy, and may pause in the middle of an object. */
const LONG = 12

/** The first and two more. */
const ATTEMPTS = 3

export interface Deadline {
  /** Milliseconds of one attempt. */
  readonly requestTimeout: number
  readonly abortSignal: AbortSignal
}

export interface Deadlines {
  /** For the client as a whole. */
  readonly config: Pick<S3ClientConfig, 'maxAttempts' | 'requestHandler'>
  /** For one call that sends so many bytes. */
  call(bytes?: number): Deadline
  /** For one call by which the server copies. */
  copy(): Deadline
}

/** @param timeout milliseconds for one attempt of a call that moves no bytes */
export function createDeadlines(timeout: number): Deadlines {
  const within = (requestTimeout: number): Deadline => ({
    requestTimeout,
    // Also what comes after the headers, and the pauses between the attempts.
    abortSignal: AbortSignal.timeout(requestTimeout * (ATTEMPTS + 1)),
  })
  return {
    config: {
      maxAttempts: ATTEMPTS,
      requestHandler: {
        connectionTimeout: Math.min(timeout, 3000),
        requestTimeout: timeout,
        throwOnRequestTimeout: true,
        socketTimeout: timeout * LONG,
      },
    },
    call: (bytes = 0) => within(timeout + Math.ceil((bytes / SLOWEST) * 1000)),
    copy: () => within(timeout * LONG),
  }
}
