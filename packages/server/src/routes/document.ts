/** The OpenAPI 3.1 document of a table of routes. Its schemas are JSON Schema 2020-12, which zod writes by itself. */
import * as protocol from '@kinora/protocol'
import { ERROR_STATUS, ErrorBody, type ErrorCode, HEADERS, WEBHOOK_HEADERS } from '@kinora/protocol'
import * as z from 'zod/mini'
import type { Answer, Keywords, Route, Schema } from './route.ts'

const JSON_TYPE = 'application/json'

/** The protocol's own names of its schemas: what is answered stands once, under `components`. */
const named = z.registry<{ id: string }>()
for (const [id, value] of Object.entries(protocol)) {
  if (value instanceof z.ZodMiniType) named.add(value, { id })
}

const componentUri = (id: string): string => `#/components/schemas/${id}`

/** @param version the server's */
export function describeRoutes(routes: readonly Route[], version: string): Keywords {
  const operations = routes.filter(({ hidden = false }) => !hidden)
  const described: Record<string, Record<string, Keywords>> = {}
  for (const route of operations) {
    const path = route.path.replace(/:(\w+)/g, '{$1}')
    described[path] = { ...described[path], [route.method]: describeRoute(route) }
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Kinora',
      version,
      description: 'One picture and a sentence become a video.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    tags: [...new Set(operations.map(({ tag }) => tag))].map((name) => ({ name })),
    paths: described,
    components: {
      schemas: components(),
      securitySchemes: {
        apiKey: { type: 'http', scheme: 'bearer', description: 'An API key' },
        workerToken: { type: 'http', scheme: 'bearer', description: 'WORKER_TOKEN' },
        webhookSecret: { type: 'apiKey', in: 'header', name: WEBHOOK_HEADERS.secret },
      },
    },
  }
}

function describeRoute(route: Route): Keywords {
  const { method, path, auth, tag, summary, description, answers } = route
  const parameters = describeParameters(route)
  return {
    operationId: [method, ...path.split(/[^A-Za-z0-9]+/).filter(Boolean)].join('_'),
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: auth === 'none' ? [] : [{ [auth]: [] }],
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.body ? { requestBody: describeBody(route, route.body) } : {}),
    responses: {
      ...Object.fromEntries(Object.entries(answers).map(([status, answer]) => [status, describeAnswer(answer)])),
      ...describeRefusals(route),
    },
  }
}

function describeParameters({ path, id, headers = [], query, parameters = {} }: Route): Keywords[] {
  const name = /:(\w+)/.exec(path)?.[1]
  const { properties = {} } = query ? z.toJSONSchema(query, { io: 'output' }) : {}
  return [
    ...(name === undefined ? [] : [{ in: 'path', name, description: id, required: true, schema: { type: 'string' } }]),
    ...Object.entries(properties).map(([name, schema]) => ({
      in: 'query',
      name,
      description: parameters[name],
      required: false,
      schema,
    })),
    ...headers.map(({ name, description, ...schema }) => ({
      in: 'header',
      name,
      description,
      required: false,
      schema: { type: 'string', ...schema },
    })),
  ]
}

function describeBody({ form, bodyKeywords }: Route, body: Schema): Keywords {
  const schema = withoutAddress(z.toJSONSchema(body, { io: 'input' }))
  const required = Array.isArray(schema.required) && schema.required.length > 0
  return {
    // An empty body counts as `{}`.
    required: required || bodyKeywords !== undefined,
    content: {
      [JSON_TYPE]: { schema: { ...schema, ...bodyKeywords } },
      ...(form ? { 'multipart/form-data': { schema: form } } : {}),
    },
  }
}

function describeAnswer({ description, schema, contentType }: Answer): Keywords {
  const headers = { [HEADERS.requestId]: { schema: { type: 'string' } } }
  if (schema) return { description, headers, content: { [JSON_TYPE]: { schema: reference(schema) } } }
  if (contentType === undefined) return { description, headers }
  return { description, headers, content: { [contentType]: { schema: { type: 'string' } } } }
}

function describeRefusals({ auth, errors = [], maxBodyBytes }: Route): Record<number, Keywords> {
  const codes = new Set<ErrorCode>(errors)
  if (auth !== 'none') codes.add('unauthorized')
  if (auth === 'apiKey') codes.add('too_many_requests')
  if (maxBodyBytes !== undefined)
    for (const code of ['payload_too_large', 'unsupported_media_type'] as const) codes.add(code)
  for (const code of ['shutting_down', 'internal_error'] as const) codes.add(code)

  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of codes) byStatus.set(ERROR_STATUS[code], [...(byStatus.get(ERROR_STATUS[code]) ?? []), code])
  return Object.fromEntries(
    [...byStatus].map(([status, names]) => {
      const waits = status === 429 || status === 503
      const answer = describeAnswer({ description: `Refused: ${names.join(', ')}`, schema: ErrorBody })
      const retryAfter = { 'retry-after': { description: 'Seconds', schema: { type: 'integer' } } }
      return [status, { ...answer, ...(waits ? { headers: { ...retryAfter } } : {}) }]
    }),
  )
}

function reference(schema: Schema): Keywords {
  const id = named.get(schema)?.id
  if (id === undefined) throw new Error('A route answers with a schema that the protocol does not export.')
  return { $ref: componentUri(id) }
}

function components(): Record<string, Keywords> {
  const { schemas } = z.toJSONSchema(named, { io: 'output', uri: componentUri })
  return Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, withoutAddress(schema)]))
}

/** In a document of its own a schema says where it is and which JSON Schema it speaks; here it stands inside another. */
function withoutAddress({ $schema: _schema, $id: _id, ...schema }: z.core.JSONSchema.BaseSchema): Keywords {
  return schema
}
