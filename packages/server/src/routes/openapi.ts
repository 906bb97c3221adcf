/** `GET /openapi.json`: every route of the table, with the protocol's own schemas. */
import { paths } from '@kinora/protocol'
import { type Route, route } from './route.ts'

export const openapiRoutes: readonly Route[] = [
  route({
    method: 'get',
    path: paths.openapi.pattern,
    auth: 'none',
    tag: 'server',
    summary: 'This document',
    hidden: true,
    answers: {},
    handle({ context }, { document, publicUrl }) {
      context.header('cache-control', 'public, max-age=300')
      return context.json({ ...document(), servers: [{ url: publicUrl() }] })
    },
  }),
]
