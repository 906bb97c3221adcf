/** Puts a stream of unknown length: S3 wants to know the length of a body, so it goes in parts, each held in memory while it is sent. */
import type { S3Client } from '@aws-sdk/client-s3'
import { StorageError } from '../storage.ts'
import type { Deadlines } from './deadlines.ts'
import type { AwsSdk } from './load-sdk.ts'

/** R2 wants all parts but the last of one size; S3 wants at least 5 MiB. */
const PART_BYTES = 8 * 1024 * 1024

export interface PutStreamInput {
  readonly client: S3Client
  readonly s3: AwsSdk['s3']
  readonly bucket: string
  readonly key: string
  readonly contentType: string
  readonly maxBytes: number
  readonly deadlines: Deadlines
}

/** @throws StorageError `too_large`; nothing is kept then */
export async function putStream(body: ReadableStream<Uint8Array>, input: PutStreamInput): Promise<void> {
  const { client, s3, bucket, key, contentType, deadlines } = input
  const target = { Bucket: bucket, Key: key }
  const parts = inParts(limited(body, input.maxBytes))

  const first = await parts.next()
  const second = first.done ? first : await parts.next()
  if (second.done) {
    const Body = first.done ? new Uint8Array() : first.value
    const command = new s3.PutObjectCommand({ ...target, Body, ContentType: contentType })
    await client.send(command, deadlines.call(Body.byteLength))
    return
  }

  const create = new s3.CreateMultipartUploadCommand({ ...target, ContentType: contentType })
  const { UploadId } = await client.send(create, deadlines.call())
  const upload = { ...target, UploadId }
  try {
    const done: { PartNumber: number; ETag: string | undefined }[] = []
    for (let part: IteratorResult<Uint8Array> = first; !part.done;) {
      const PartNumber = done.length + 1
      const command = new s3.UploadPartCommand({ ...upload, PartNumber, Body: part.value })
      const { ETag } = await client.send(command, deadlines.call(part.value.byteLength))
      done.push({ PartNumber, ETag })
      part = PartNumber === 1 ? second : await parts.next()
    }
    const complete = new s3.CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts: done } })
    await client.send(complete, deadlines.copy())
  } catch (error) {
    await client.send(new s3.AbortMultipartUploadCommand(upload), deadlines.call()).catch(() => undefined)
    throw error
  }
}

async function* limited(body: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array> {
  let size = 0
  for await (const chunk of body) {
    size += chunk.byteLength
    if (size > maxBytes) {
      throw new StorageError('too_large', `The object is larger than the ${maxBytes} bytes that are allowed.`)
    }
    yield chunk
  }
}

async function* inParts(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let part = new Uint8Array(PART_BYTES)
  let filled = 0
  for await (const chunk of body) {
    for (let offset = 0; offset < chunk.byteLength;) {
      const taken = chunk.subarray(offset, offset + PART_BYTES - filled)
      part.set(taken, filled)
      filled += taken.byteLength
      offset += taken.byteLength
      if (filled < PART_BYTES) continue
      yield part
      part = new Uint8Array(PART_BYTES)
      filled = 0
    }
  }
  if (filled > 0) yield part.subarray(0, filled)
}
