/** Answers requests to the disk driver's signed URLs, as a small careful file server would. */
import type { FileHandle } from 'node:fs/promises'
import { type Storage, StorageError } from '../storage.ts'
import { isFresh, parseRange, preconditionFails } from './conditional.ts'
import { readRange } from './object-file.ts'
import { type Grant, verifyGrant } from './signed-url.ts'

export interface ServeInput {
  readonly request: Request
  readonly key: string
  readonly storage: Storage
  readonly open: () => Promise<FileHandle>
  readonly signingKey: Uint8Array
  readonly now: Date
}

export async function serveObject(input: ServeInput): Promise<Response> {
  const { request, key, signingKey, now } = input
  const query = new URL(request.url).searchParams
  const seconds = Math.floor(now.getTime() / 1000)
  const verified = verifyGrant({ method: request.method, key, query }, signingKey, seconds)
  if (!verified.grant) {
    return verified.reason === 'expired'
      ? refuse(403, 'This signed URL has expired: ask for a new one.')
      : refuse(403, 'This URL is not signed for this request.')
  }
  return verified.grant.method === 'PUT' ? receive(verified.grant, input) : send(verified.grant, input, seconds)
}

async function receive(grant: Grant & { method: 'PUT' }, { request, storage }: ServeInput): Promise<Response> {
  const given = request.headers.get('content-type')
  if (mediaType(given) !== mediaType(grant.contentType)) {
    return refuse(415, `This URL takes content-type ${grant.contentType}, not ${given ?? 'none'}.`)
  }
  const header = request.headers.get('content-length')
  const length = header === null ? undefined : Number(header)
  const { contentLength, maxBytes } = grant
  if (length !== undefined && length > maxBytes) return refuse(413, `At most ${maxBytes} bytes are taken here.`)
  const wrongLength = `This URL takes exactly ${contentLength} bytes.`
  if (contentLength !== undefined && length !== undefined && length !== contentLength) return refuse(400, wrongLength)

  const body = request.body ?? new Uint8Array()
  try {
    const counted = contentLength === undefined || body instanceof Uint8Array ? body : exactly(body, contentLength)
    if (counted instanceof Uint8Array && contentLength) return refuse(400, wrongLength)
    const info = await storage.put(grant.key, counted, { contentType: grant.contentType, maxBytes })
    return new Response(null, { status: 200, headers: { etag: info.etag } })
  } catch (error) {
    if (error instanceof WrongLength) return refuse(400, wrongLength)
    if (!(error instanceof StorageError)) throw error
    return error.code === 'too_large'
      ? refuse(413, `At most ${maxBytes} bytes are taken here.`)
      : refuse(503, error.message, { 'retry-after': '5' })
  }
}

class WrongLength extends Error {}

function exactly(body: ReadableStream<Uint8Array>, bytes: number): ReadableStream<Uint8Array> {
  let size = 0
  return body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        size += chunk.byteLength
        if (size > bytes) throw new WrongLength()
        controller.enqueue(chunk)
      },
      flush() {
        if (size !== bytes) throw new WrongLength()
      },
    }),
  )
}

async function send(grant: Grant & { method: 'GET' }, input: ServeInput, now: number): Promise<Response> {
  const { request, key, storage } = input
  const info = await storage.head(key)
  if (!info) return refuse(404, 'Not found')

  const headers = new Headers({
    etag: info.etag,
    'last-modified': info.lastModified.toUTCString(),
    'accept-ranges': 'bytes',
    // Nobody else's cache, and no longer than the URL itself.
    'cache-control': `private, max-age=${Math.min(3600, grant.expires - now)}`,
    'content-type': info.contentType,
    'content-security-policy': "default-src 'none'; sandbox",
    'cross-origin-resource-policy': 'cross-origin',
    'x-content-type-options': 'nosniff',
  })
  if (grant.downloadName !== undefined) {
    headers.set('content-disposition', `attachment; filename*=UTF-8''${encodeURIComponent(grant.downloadName)}`)
  }
  if (preconditionFails(request.headers, info)) return refuse(412, 'The object is another one by now.')
  if (isFresh(request.headers, info))
    return new Response(null, { status: 304, headers: without(headers, 'content-type') })

  const range = parseRange(request.headers, info)
  if (range === 'unsatisfiable') {
    return refuse(416, 'The range lies outside the object.', { 'content-range': `bytes */${info.size}` })
  }
  const { start, end } = range ?? { start: 0, end: info.size - 1 }
  headers.set('content-length', String(end - start + 1))
  if (range) headers.set('content-range', `bytes ${start}-${end}/${info.size}`)
  const status = range ? 206 : 200
  if (request.method === 'HEAD') return new Response(null, { status, headers })

  const handle = await input.open()
  // Replaced since it was looked at: what was promised in the headers no longer fits.
  if ((await handle.stat()).size !== info.size) {
    await handle.close()
    return refuse(503, 'The object is being replaced: try again.', { 'retry-after': '1' })
  }
  return new Response(readRange(handle, start, end), { status, headers })
}

function refuse(status: number, error: string, headers: Record<string, string> = {}): Response {
  return Response.json({ error, code: CODES[status] ?? 'forbidden' }, { status, headers })
}

const CODES: Readonly<Record<number, string>> = {
  400: 'invalid_request',
  404: 'not_found',
  412: 'precondition_failed',
  413: 'payload_too_large',
  415: 'unsupported_media_type',
  416: 'range_not_satisfiable',
  503: 'storage_unavailable',
}

function mediaType(header: string | null): string {
  return (header ?? '').split(';')[0]!.trim().toLowerCase()
}

function without(headers: Headers, name: string): Headers {
  headers.delete(name)
  return headers
}
