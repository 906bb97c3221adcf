/** Conditional and range requests, RFC 9110 sections 13 and 14. Pure functions of a request's headers and an object's validators. */
import type { ObjectInfo } from '../storage.ts'

type Validators = Pick<ObjectInfo, 'etag' | 'lastModified' | 'size'>

/** Whether `If-Match` or `If-Unmodified-Since` asks for another object than the present one. */
export function preconditionFails(headers: Headers, object: Validators): boolean {
  const match = headers.get('if-match')
  if (match !== null) return !lists(match, object.etag, { weak: false })
  const since = headers.get('if-unmodified-since')
  return since !== null && wholeSeconds(object.lastModified) > Date.parse(since)
}

/** Whether the client has this object already, by `If-None-Match` or `If-Modified-Since`. */
export function isFresh(headers: Headers, object: Validators): boolean {
  const noneMatch = headers.get('if-none-match')
  if (noneMatch !== null) return lists(noneMatch, object.etag, { weak: true })
  const since = headers.get('if-modified-since')
  return since !== null && wholeSeconds(object.lastModified) <= Date.parse(since)
}

/**
 * The one range that is asked for, in bytes, both ends included. `null` means the whole object: no range, one in other units or syntax, several
 * at once (answering them in full is allowed), or one under an `If-Range` that no longer holds.
 */
export function parseRange(
  headers: Headers,
  object: Validators,
): { start: number; end: number } | 'unsatisfiable' | null {
  const match = /^bytes=(\d*)-(\d*)$/.exec(headers.get('range')?.trim() ?? '')
  if (!match || (match[1] === '' && match[2] === '')) return null
  if (!ifRangeHolds(headers.get('if-range'), object)) return null

  const [first, last] = [match[1]!, match[2]!]
  const start = first === '' ? Math.max(0, object.size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? object.size - 1 : Math.min(Number(last), object.size - 1)
  if (first !== '' && last !== '' && Number(last) < Number(first)) return null
  return start > end ? 'unsatisfiable' : { start, end }
}

function ifRangeHolds(ifRange: string | null, object: Validators): boolean {
  if (ifRange === null) return true
  if (ifRange.startsWith('"')) return ifRange === object.etag
  return Date.parse(ifRange) === wholeSeconds(object.lastModified)
}

function lists(header: string, etag: string, { weak }: { weak: boolean }): boolean {
  if (header.trim() === '*') return true
  return header
    .split(',')
    .map((tag) => tag.trim())
    .some((tag) => tag === etag || (weak && tag === `W/${etag}`))
}

/** HTTP dates have no fractions of a second. */
function wholeSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000) * 1000
}
