/** Pictures into the server's storage, by presigned PUT: the bytes do not pass through the API. */
import { type ImageContentType, paths, type PresignUpload, type Upload } from '@kinora/protocol'
import { hasTexts, isFields } from './answer.ts'
import { isApiError } from './errors.ts'
import type { Http } from './http.ts'

/** How far an upload is, in bytes. Browsers tell in between; elsewhere it is told at the start and the end. */
export interface UploadProgress {
  readonly loaded: number
  readonly total: number
}

export interface UploadTask {
  readonly blob: Blob
  readonly type: ImageContentType
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((progress: UploadProgress) => void) | undefined
  /** Name the upload by its content, so that repeating a `generate` with its key, even after a crash, sends equal parameters. */
  readonly byContent?: boolean
}

interface Place {
  readonly upload_id: string
  readonly upload_url: string
  readonly headers: Readonly<Record<string, string>>
}

/** @returns the `upload_id` */
export async function upload(http: Http, task: UploadTask): Promise<string> {
  const id = task.byContent ? await contentId(task.blob) : undefined
  try {
    const place = id === undefined ? await newPlace(http, task) : await namedPlace(http, task, id)
    await put(http, task, place)
    return place.upload_id
  } catch (error) {
    // It is there already, from the attempt that is being repeated: equal name, equal bytes.
    if (id !== undefined && isApiError(error) && error.code === 'upload_conflict') return id
    throw error
  }
}

async function newPlace(http: Http, { blob, type, signal }: UploadTask): Promise<Place> {
  const json = { content_type: type, content_length: blob.size }
  return http.json({ method: 'POST', to: paths.uploads(), json, signal }, isUpload)
}

async function namedPlace(http: Http, { type, signal }: UploadTask, id: string): Promise<Place> {
  const json = { job_id: id, content_type: type }
  const request = { method: 'POST', to: paths.presignUpload(), json, signal } as const
  const { upload_url } = await http.json(request, hasTexts<keyof PresignUpload & 'upload_url'>('upload_url'))
  return { upload_id: id, upload_url, headers: { 'content-type': type } }
}

function isUpload(value: unknown): value is Upload {
  return hasTexts('upload_id', 'upload_url')(value) && isFields((value as { headers?: unknown }).headers)
}

/** Undefined where Web Crypto is missing: on pages that came over plain http. */
async function contentId(blob: Blob): Promise<string | undefined> {
  const subtle: SubtleCrypto | undefined = globalThis.crypto.subtle
  const hash = await subtle?.digest('SHA-256', await blob.arrayBuffer())
  return hash && `sha256-${Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

async function put(
  http: Http,
  { blob, signal, onProgress }: UploadTask,
  { upload_url, headers }: Place,
): Promise<void> {
  const total = blob.size
  const report = (loaded: number): void => onProgress?.({ loaded, total })
  report(0)
  await http.send({
    method: 'PUT',
    to: upload_url,
    signal,
    extraTime: total / SLOWEST_BYTES_PER_MILLISECOND,
    send: (request) =>
      onProgress && http.usesGlobalFetch && typeof XMLHttpRequest === 'function'
        ? putWithProgress(request, headers, blob, report)
        : http.fetch(upload_url, { method: 'PUT', headers, body: blob, signal: request.signal }),
  })
  report(total)
}

/** 20 kB/s: slower lines need longer limits in the options. */
const SLOWEST_BYTES_PER_MILLISECOND = 20

/** fetch cannot tell how much of a body is sent, and a stream as body cannot carry the length that presigned PUTs want. */
function putWithProgress(
  { url, signal }: Request,
  headers: Readonly<Record<string, string>>,
  body: Blob,
  report: (loaded: number) => void,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('PUT', url)
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
    request.upload.addEventListener('progress', ({ loaded }) => report(loaded))
    request.addEventListener('load', () =>
      resolve(new Response(request.responseText || null, { status: request.status })),
    )
    request.addEventListener('error', () =>
      reject(new TypeError('The upload broke off. Does the storage allow this page’s origin (CORS)?')),
    )
    request.addEventListener('abort', () => reject(signal.reason))
    signal.addEventListener('abort', () => request.abort(), { once: true })
    request.send(body)
  })
}
