/**
 * A route, all of it in one place: method, path, who may call it, what it takes and answers, and the handler. The server's routing and
 * its OpenAPI document both read it.
 */
import { type ErrorCode, type IdOf, isStorableText } from '@kinora/protocol'
import type * as z from 'zod/mini'
import { ApiError } from '../api-error.ts'
import type { Auth } from '../auth/guards.ts'
import type { KinoraContext } from '../http/context.ts'
import { check, MAX_JSON_BYTES, readJson } from '../http/body.ts'
import type { RouteParts } from './parts.ts'

export type Schema = z.ZodMiniType

/** A JSON Schema's own words, for what zod cannot say. */
export type Keywords = Readonly<Record<string, unknown>>

/** What a route may answer. Without a schema the body is no JSON. */
export interface Answer {
  readonly description: string
  readonly schema?: Schema
  /** Of a body that is no JSON. */
  readonly contentType?: string
}

/** A header that a route reads. */
export interface HeaderDescription {
  readonly name: string
  readonly description: string
  readonly minLength?: number
  readonly maxLength?: number
}

interface Described<Pattern extends string> {
  readonly method: 'get' | 'post' | 'put' | 'delete'
  readonly path: Pattern
  readonly auth: Auth
  readonly tag: 'jobs' | 'uploads' | 'events' | 'webhooks' | 'workers' | 'server'
  readonly summary: string
  readonly description?: string
  /** What the id in the path is. */
  readonly id?: string
  readonly headers?: readonly HeaderDescription[]
  /** Each parameter's words beside its schema. */
  readonly parameters?: Readonly<Record<string, string>>
  readonly answers: Readonly<Record<number, Answer>>
  /** Codes of refusals beside those that every such route has. */
  readonly errors?: readonly ErrorCode[]
  /** Of another content type than JSON, which the handler reads by itself. */
  readonly form?: Keywords
  /** Words for the JSON body's schema. */
  readonly bodyKeywords?: Keywords
  /** Bytes of the body at most. Default: {@link MAX_JSON_BYTES} where there is a body at all. */
  readonly maxBodyBytes?: number
  /** Asked again and again: worth a line in the log only when something is wrong. */
  readonly chatty?: boolean
  /** Left out of the OpenAPI document. */
  readonly hidden?: boolean
}

interface RouteDefinition<
  Pattern extends string,
  Query extends Schema,
  Body extends Schema,
> extends Described<Pattern> {
  readonly query?: Query
  readonly body?: Body
  readonly handle: (request: RouteRequest<Pattern, Query, Body>, parts: RouteParts) => Response | Promise<Response>
}

/** A route without its types: what stands in the table. */
export interface Route extends Described<string> {
  readonly query?: Schema
  readonly body?: Schema
  readonly answer: (context: KinoraContext, parts: RouteParts) => Response | Promise<Response>
}

interface Readable<Query extends Schema, Body extends Schema> {
  readonly auth: Auth
  readonly query?: Query
  readonly body?: Body
}

/** What a handler has of a request. It has passed authorisation and the body's limit. */
export class RouteRequest<Pattern extends string, Query extends Schema, Body extends Schema> {
  readonly context: KinoraContext
  readonly #route: Readable<Query, Body>

  constructor(context: KinoraContext, route: Readable<Query, Body>) {
    this.context = context
    this.#route = route
  }

  /** Whose request it is. */
  get tenant(): string {
    const { tenant } = this.context.get('kinora')
    if (tenant === undefined) throw new Error('This route is served without an API key: it has no tenant.')
    return tenant
  }

  /** The id in the path. */
  id(name: IdOf<Pattern>): string {
    const id = this.context.req.param(name)
    if (id === undefined) throw new Error(`The route's path has no ":${name}".`)
    if (!isStorableText(id)) throw new ApiError('not_found', 'Not found')
    return id
  }

  /** @throws ApiError `invalid_request` naming each wrong parameter */
  query(): z.output<Query> {
    if (!this.#route.query) throw new Error('The route declares no query.')
    return check(this.#route.query, this.context.req.query())
  }

  /** @throws ApiError `invalid_request` naming each wrong field */
  body(): Promise<z.output<Body>> {
    if (!this.#route.body) throw new Error('The route declares no body.')
    // What a worker tells of a job is worth more than a letter in it.
    return readJson(this.context, this.#route.body, {
      unstorable: this.#route.auth === 'apiKey' ? 'refused' : 'mended',
    })
  }
}

export function route<Pattern extends string, Query extends Schema, Body extends Schema>({
  handle,
  ...route
}: RouteDefinition<Pattern, Query, Body>): Route {
  return {
    ...route,
    ...(route.body && route.maxBodyBytes === undefined ? { maxBodyBytes: MAX_JSON_BYTES } : {}),
    answer: (context, parts) => handle(new RouteRequest(context, route), parts),
  }
}

/** A JSON answer. */
export function json(schema: Schema, description: string): Answer {
  return { schema, description }
}

/** An answer without JSON. */
export function plain(description: string, contentType?: string): Answer {
  return contentType === undefined ? { description } : { description, contentType }
}
