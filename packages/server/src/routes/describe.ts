/** Short words for OpenAPI, so that a route's description stays smaller than the route. */
import { ERROR_STATUS, ErrorBody, type ErrorCode } from '@kinora/protocol'
import { describeRoute, type DescribeRouteOptions, resolver } from 'hono-openapi'
import type { MiddlewareHandler } from 'hono'
import type * as z from 'zod/mini'

type Responses = NonNullable<DescribeRouteOptions['responses']>

/** A JSON answer. */
export function json(schema: z.ZodMiniType, description: string): Responses[string] {
  return { description, content: { 'application/json': { schema: resolver(schema, { options: { io: 'output' } }) } } }
}

/** An answer without JSON. */
export function plain(description: string, contentType?: string): Responses[string] {
  return contentType === undefined
    ? { description }
    : { description, content: { [contentType]: { schema: { type: 'string' } } } }
}

/** A JSON request body. */
export function body(schema: z.ZodMiniType): NonNullable<DescribeRouteOptions['requestBody']> {
  return { required: true, content: { 'application/json': { schema: resolver(schema, { options: { io: 'input' } }) } } }
}

/** A parameter in the path, the query or a header. */
export function parameter(
  place: 'path' | 'query' | 'header',
  name: string,
  description: string,
  schema: { type: 'string' | 'integer'; minimum?: number; maximum?: number; default?: number; maxLength?: number } = {
    type: 'string',
  },
): NonNullable<DescribeRouteOptions['parameters']>[number] {
  return { in: place, name, description, required: place === 'path', schema }
}

export interface RouteDescription {
  readonly summary: string
  readonly description?: string
  readonly tag: 'jobs' | 'uploads' | 'events' | 'webhooks' | 'workers' | 'server'
  /** Which token opens it. */
  readonly auth: 'apiKey' | 'workerToken' | 'webhookSecret' | 'none'
  readonly parameters?: NonNullable<DescribeRouteOptions['parameters']>
  readonly requestBody?: NonNullable<DescribeRouteOptions['requestBody']>
  readonly responses: Responses
  /** Codes of refusals beside the ones that every route with authorisation has. */
  readonly errors?: readonly ErrorCode[]
}

export function described({ tag, auth, errors = [], responses, ...rest }: RouteDescription): MiddlewareHandler {
  const codes: ErrorCode[] = [...errors, ...(auth === 'none' ? [] : (['unauthorized'] as const)), 'internal_error']
  return describeRoute({
    ...rest,
    tags: [tag],
    security: auth === 'none' ? [] : [{ [auth]: [] }],
    responses: { ...responses, ...refusals(codes) },
  })
}

function refusals(codes: readonly ErrorCode[]): Responses {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of codes) byStatus.set(ERROR_STATUS[code], [...(byStatus.get(ERROR_STATUS[code]) ?? []), code])
  return Object.fromEntries(
    [...byStatus].map(([status, names]) => [String(status), json(ErrorBody, `Refused: ${names.join(', ')}`)]),
  )
}
