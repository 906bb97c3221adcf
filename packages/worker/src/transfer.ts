/** Pictures down, videos up, over signed URLs. The URLs are secrets: messages name hosts only. */

import { createReadStream } from 'node:fs'
import { stat, writeFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { isRetryableStatus, MAX_IMAGE_BYTES, type PutTarget } from '@kinora/protocol'
import type { Failure } from './child/failure.ts'
import { reasonOf } from './lease-client.ts'

/** A transfer failed. `retryable`: the same one may work when it is tried again. */
export class TransferError extends Error {
  override readonly name = 'TransferError'
  readonly code: 'image_unreachable' | 'image_too_large' | 'upload_failed'
  readonly retryable: boolean

  constructor(message: string, details: { code: TransferError['code']; retryable: boolean; cause?: unknown }) {
    super(message, { cause: details.cause })
    this.code = details.code
    this.retryable = details.retryable
  }

  /** What it means for the job: another attempt has other URLs, but the same picture. */
  get failure(): Failure {
    const { code, message } = this
    return { code, message, retryable: code !== 'image_too_large' }
  }
}

export interface TransferOptions {
  readonly fetch: typeof globalThis.fetch
  readonly signal: AbortSignal
}

/** Milliseconds that a try may take: a minute, and what so many bytes need on a line of 50 kB/s. */
function timeFor(bytes: number): number {
  return 60_000 + Math.ceil(bytes / 50)
}

/** Fetches the picture into a file. @throws TransferError `image_too_large`, `image_unreachable`; the signal's reason */
export async function downloadPicture(url: string, file: string, options: TransferOptions): Promise<void> {
  const host = new URL(url).host
  const unreachable = (why: string, retryable: boolean, cause?: unknown) =>
    new TransferError(`The picture could not be fetched from ${host}: ${why}.`, {
      code: 'image_unreachable',
      retryable,
      cause,
    })
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(timeFor(MAX_IMAGE_BYTES))])
  try {
    const response = await options.fetch(url, { signal })
    if (!response.ok) throw unreachable(`HTTP ${response.status}`, isRetryableStatus(response.status))
    await writeFile(file, await readLimited(response))
  } catch (error) {
    options.signal.throwIfAborted()
    throw error instanceof TransferError ? error : unreachable(reasonOf(error), true, error)
  }
}

async function readLimited(response: Response): Promise<Uint8Array> {
  const tooLarge = () =>
    new TransferError(`The picture has more than ${MAX_IMAGE_BYTES / 1024 / 1024} MB.`, {
      code: 'image_too_large',
      retryable: false,
    })
  if (Number(response.headers.get('content-length')) > MAX_IMAGE_BYTES) {
    await response.body?.cancel()
    throw tooLarge()
  }
  const chunks: Uint8Array[] = []
  let size = 0
  // Counted too: the length may be missing or untrue.
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > MAX_IMAGE_BYTES) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Sends a file to a presigned PUT, streamed with its length. @throws TransferError `upload_failed`; the signal's reason */
export async function uploadFile(file: string, target: PutTarget, options: TransferOptions): Promise<void> {
  const host = new URL(target.url).host
  const failed = (why: string, retryable: boolean, cause?: unknown) =>
    new TransferError(`The video could not be stored at ${host}: ${why}.`, { code: 'upload_failed', retryable, cause })
  const { size } = await stat(file)
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(timeFor(size))])
  const source = createReadStream(file)
  try {
    const request: RequestInit & { duplex: 'half' } = {
      method: 'PUT',
      headers: { ...target.headers, 'content-length': String(size) },
      body: Readable.toWeb(source) as ReadableStream<Uint8Array>,
      duplex: 'half',
      signal,
    }
    const response = await options.fetch(target.url, request)
    await response.body?.cancel()
    if (!response.ok) throw failed(`HTTP ${response.status}`, isRetryableStatus(response.status))
  } catch (error) {
    options.signal.throwIfAborted()
    throw error instanceof TransferError ? error : failed(reasonOf(error), true, error)
  } finally {
    source.destroy()
  }
}
