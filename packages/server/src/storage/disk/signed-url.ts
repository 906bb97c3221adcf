/** Presigned URLs of the disk driver: what is allowed stands in the query, and an HMAC over all of it stands beside it. */
import { createHmac, timingSafeEqual } from 'node:crypto'

/** What a signed URL allows. */
export type Grant =
  | {
      readonly method: 'GET'
      readonly key: string
      readonly expires: number
      readonly downloadName?: string | undefined
    }
  | {
      readonly method: 'PUT'
      readonly key: string
      /** Unix seconds. */
      readonly expires: number
      readonly contentType: string
      readonly maxBytes: number
      readonly contentLength?: number | undefined
    }

/** The query of a grant's URL, signature included. */
export function signGrant(grant: Grant, signingKey: Uint8Array): URLSearchParams {
  const query = new URLSearchParams({ expires: String(grant.expires) })
  if (grant.method === 'PUT') {
    query.set('type', grant.contentType)
    query.set('max', String(grant.maxBytes))
    if (grant.contentLength !== undefined) query.set('length', String(grant.contentLength))
  } else if (grant.downloadName !== undefined) {
    query.set('download', grant.downloadName)
  }
  query.set('signature', signature(grant, signingKey).toString('base64url'))
  return query
}

export type Verified = { readonly grant: Grant } | { readonly grant: null; readonly reason: 'invalid' | 'expired' }

/**
 * Reads the grant in a query, if its signature fits. A URL for GET is one for HEAD too.
 * @param now unix seconds
 */
export function verifyGrant(
  request: { method: string; key: string; query: URLSearchParams },
  signingKey: Uint8Array,
  now: number,
): Verified {
  const grant = readGrant(request)
  if (!grant) return { grant: null, reason: 'invalid' }
  const given = Buffer.from(request.query.get('signature') ?? '', 'base64url')
  const wanted = signature(grant, signingKey)
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return { grant: null, reason: 'invalid' }
  if (grant.expires < now) return { grant: null, reason: 'expired' }
  return { grant }
}

function readGrant({ method, key, query }: { method: string; key: string; query: URLSearchParams }): Grant | null {
  const expires = integer(query.get('expires'))
  if (expires === null) return null
  if (method === 'GET' || method === 'HEAD') {
    const downloadName = query.get('download')
    return { method: 'GET', key, expires, ...(downloadName === null ? {} : { downloadName }) }
  }
  const contentType = query.get('type')
  const maxBytes = integer(query.get('max'))
  if (method !== 'PUT' || contentType === null || maxBytes === null) return null
  const contentLength = query.has('length') ? integer(query.get('length')) : undefined
  if (contentLength === null) return null
  return { method, key, expires, contentType, maxBytes, contentLength }
}

/** JSON keeps the fields apart, whatever characters they hold. */
function signature(grant: Grant, signingKey: Uint8Array): Buffer {
  const { method, key, expires } = grant
  const rest =
    grant.method === 'PUT'
      ? [grant.contentType, grant.maxBytes, grant.contentLength ?? null]
      : [grant.downloadName ?? null]
  return createHmac('sha256', signingKey)
    .update(JSON.stringify(['kinora-storage-1', method, key, expires, ...rest]))
    .digest()
}

function integer(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null
}
