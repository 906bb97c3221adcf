/** The pretended server's storage: presigned PUTs for pictures, signed GETs with ranges for videos. */
import { http, HttpResponse, type HttpHandler } from 'msw'

/** The beginning of every mp4 file: a `ftyp` box. */
export const SMALLEST_VIDEO = new Uint8Array([0, 0, 0, 16, ...new TextEncoder().encode('ftypisom'), 0, 0, 2, 0])

export interface MockUpload {
  readonly content_type: string
  readonly content_length: number | undefined
  bytes?: Uint8Array<ArrayBuffer>
}

export interface MockStorage {
  readonly uploads: Map<string, MockUpload>
  readonly handlers: HttpHandler[]
  uploadUrl(uploadId: string): string
  pictureUrl(uploadId: string): string
  downloadUrl(jobId: string): string
}

export function mockStorage(
  baseUrl: string,
  hasVideo: (jobId: string) => boolean,
  video: Uint8Array<ArrayBuffer>,
): MockStorage {
  const uploads = new Map<string, MockUpload>()
  const at = `${baseUrl}/storage`
  return {
    uploads,
    uploadUrl: (uploadId) => `${at}/uploads/${uploadId}?signature=put-${uploadId}`,
    pictureUrl: (uploadId) => `${at}/uploads/${uploadId}?signature=get-${uploadId}`,
    downloadUrl: (jobId) => `${at}/outputs/${jobId}/output.mp4?signature=get-${jobId}`,
    handlers: [
      http.put<{ id: string }>(`${at}/uploads/:id`, async ({ params, request }) => {
        const upload = uploads.get(params.id)
        const bytes = new Uint8Array(await request.arrayBuffer())
        const { searchParams } = new URL(request.url)
        if (!upload || searchParams.get('signature') !== `put-${params.id}`) return refuse('SignatureDoesNotMatch')
        if (request.headers.has('authorization')) return refuse('InvalidArgument: only one way to authorise is allowed')
        if (request.headers.get('content-type') !== upload.content_type)
          return refuse('SignatureDoesNotMatch: content-type')
        if ((upload.content_length ?? bytes.length) !== bytes.length)
          return refuse('SignatureDoesNotMatch: content-length')
        upload.bytes = bytes
        return new HttpResponse(null, { status: 200 })
      }),
      http.get<{ id: string }>(`${at}/uploads/:id`, ({ params, request }) => {
        const upload = uploads.get(params.id)
        const { searchParams } = new URL(request.url)
        if (searchParams.get('signature') !== `get-${params.id}`) return refuse('SignatureDoesNotMatch')
        if (!upload?.bytes) return refuse('NoSuchKey', 404)
        return new HttpResponse(upload.bytes, { headers: { 'content-type': upload.content_type } })
      }),
      http.get<{ id: string }>(`${at}/outputs/:id/output.mp4`, ({ params, request }) => {
        const { searchParams } = new URL(request.url)
        if (searchParams.get('signature') !== `get-${params.id}`) return refuse('SignatureDoesNotMatch')
        if (!hasVideo(params.id)) return refuse('NoSuchKey', 404)
        return part(video, request.headers.get('range'))
      }),
    ],
  }
}

function part(video: Uint8Array<ArrayBuffer>, range: string | null): Response {
  const headers = { 'content-type': 'video/mp4', 'accept-ranges': 'bytes', etag: '"mock"' }
  const asked = /^bytes=(\d+)-(\d*)$/.exec(range ?? '')
  if (!asked) return new HttpResponse(video, { headers: { ...headers, 'content-length': String(video.length) } })
  const first = Number(asked[1])
  const last = Math.min(asked[2] ? Number(asked[2]) : Infinity, video.length - 1)
  if (first > last)
    return new HttpResponse(null, { status: 416, headers: { 'content-range': `bytes */${video.length}` } })
  return new HttpResponse(video.slice(first, last + 1), {
    status: 206,
    headers: {
      ...headers,
      'content-range': `bytes ${first}-${last}/${video.length}`,
      'content-length': String(last + 1 - first),
    },
  })
}

function refuse(code: string, status = 403): Response {
  return new HttpResponse(`<?xml version="1.0"?><Error><Code>${code}</Code></Error>`, {
    status,
    headers: { 'content-type': 'application/xml' },
  })
}
