/** Reads what a request brings, and says in one answer everything that is wrong with it. */
import type { MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { explained } from '@kinora/protocol'
import type * as z from 'zod/mini'
import { ApiError } from '../api-error.ts'
import type { KinoraContext } from './context.ts'

/** Bytes of a JSON body: two prompts of the longest, every letter escaped. */
const MAX_JSON_BYTES = 256 * 1024

/** Refuses a larger body with 413 before it is read. */
export function limitBody(maxBytes = MAX_JSON_BYTES): MiddlewareHandler {
  const refuse = (): never => {
    throw new ApiError('payload_too_large', `The request's body is larger than ${describeBytes(maxBytes)}.`)
  }
  const count = bodyLimit({ maxSize: maxBytes, onError: refuse })
  return async (context, next) => {
    const announced = Number(context.req.header('content-length') ?? NaN)
    // Only a body of unknown length has to be counted; to look at the body at all makes a stream of it, which costs a small request dearly.
    if (!(announced >= 0) || context.req.header('transfer-encoding') !== undefined) return count(context, next)
    if (announced > maxBytes) refuse()
    await next()
  }
}

/** @throws ApiError `invalid_request` naming each wrong field */
export async function readJson<Schema extends z.ZodMiniType>(
  context: KinoraContext,
  schema: Schema,
): Promise<z.output<Schema>> {
  const text = await context.req.text()
  let value: unknown
  try {
    value = text === '' ? {} : JSON.parse(text)
  } catch (cause) {
    throw new ApiError('invalid_request', 'The request body is not valid JSON.', { cause })
  }
  return check(schema, value)
}

/** The query's parameters; one that is given twice counts once. */
export function readQuery<Schema extends z.ZodMiniType>(context: KinoraContext, schema: Schema): z.output<Schema> {
  return check(schema, context.req.query())
}

/** @throws ApiError `invalid_request` naming each wrong field */
export function check<Schema extends z.ZodMiniType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value, explained)
  if (result.success) return result.data
  const issues = result.error.issues.map(({ path, message }) => ({ path: path.map(String).join('.'), message }))
  const words = issues.map(({ path, message }) => (path ? `${path} ${message}` : message)).join('; ')
  throw new ApiError('invalid_request', `The request is not valid: ${words}.`, { issues })
}

function describeBytes(bytes: number): string {
  return bytes >= 1024 * 1024 ? `${Math.round(bytes / 1024 / 1024)} MB` : `${Math.round(bytes / 1024)} kB`
}
