/** Reads what a request brings, and says in one answer everything that is wrong with it. */
import { explained } from '@kinora/protocol'
import type * as z from 'zod/mini'
import { ApiError } from '../api-error.ts'
import type { KinoraContext } from './context.ts'
import { refuseUnstorable, withStorableTexts } from './texts.ts'

/** Bytes of a JSON body: two prompts of the longest, every letter escaped. */
export const MAX_JSON_BYTES = 256 * 1024

/**
 * Refuses a body that is announced too large before any of it is read, and one that is compressed: nothing here unpacks, as a small body that
 * unpacks into a large one is an attack.
 *
 * @throws ApiError `payload_too_large`, `unsupported_media_type`
 */
export function checkBody(context: KinoraContext, maxBytes: number): void {
  const encoding = context.req.header('content-encoding')?.trim().toLowerCase()
  if (encoding !== undefined && encoding !== '' && encoding !== 'identity') {
    throw new ApiError('unsupported_media_type', `The body is sent as ${encoding.slice(0, 40)}: send it uncompressed.`)
  }
  if (Number(context.req.header('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes)
}

export interface ReadOptions {
  /** What becomes of texts that no store can keep: a request's are refused, a report's mended. Default `refused`. */
  readonly unstorable?: 'refused' | 'mended'
}

/** @throws ApiError `invalid_request` naming each wrong field, `payload_too_large` */
export async function readJson<Schema extends z.ZodMiniType>(
  context: KinoraContext,
  schema: Schema,
  { unstorable = 'refused' }: ReadOptions = {},
): Promise<z.output<Schema>> {
  const text = await readText(context, MAX_JSON_BYTES)
  let value: unknown
  try {
    value = text === '' ? {} : JSON.parse(text)
  } catch (cause) {
    throw new ApiError('invalid_request', 'The request body is not valid JSON.', { cause })
  }
  return check(schema, unstorable === 'mended' ? withStorableTexts(value) : value)
}

/** A body of announced length is read in one piece, which is quick; one of unknown length is counted as it comes. */
async function readText(context: KinoraContext, maxBytes: number): Promise<string> {
  const isAnnounced =
    context.req.header('transfer-encoding') === undefined && context.req.header('content-length') !== undefined
  const { body, bodyUsed } = context.req.raw
  // A host that has read the body already has left it in Hono's hands.
  if (isAnnounced || !body || bodyUsed) return context.req.text()
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of body) {
    size += chunk.byteLength
    if (size > maxBytes) throw tooLarge(maxBytes)
    chunks.push(chunk)
  }
  return new TextDecoder().decode(Buffer.concat(chunks, size))
}

/** @throws ApiError `invalid_request` naming each wrong field */
export function check<Schema extends z.ZodMiniType>(schema: Schema, value: unknown): z.output<Schema> {
  refuseUnstorable(value)
  const result = schema.safeParse(value, explained)
  if (result.success) return result.data
  const issues = result.error.issues.map(({ path, message }) => ({ path: path.map(String).join('.'), message }))
  const words = issues.map(({ path, message }) => (path ? `${path} ${message}` : message)).join('; ')
  throw new ApiError('invalid_request', `The request is not valid: ${words}.`, { issues })
}

/** The refusal of a body that has too many bytes. */
export function tooLarge(maxBytes: number): ApiError {
  const size =
    maxBytes >= 1024 * 1024 ? `${Math.round(maxBytes / 1024 / 1024)} MB` : `${Math.round(maxBytes / 1024)} kB`
  return new ApiError('payload_too_large', `The request's body is larger than ${size}.`)
}
