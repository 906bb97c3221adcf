/** `GET /openapi.json`: every route with the protocol's own schemas. */
import { WEBHOOK_HEADERS } from '@kinora/protocol'
import { generateSpecs } from 'hono-openapi'
import type { KinoraApp, RouteParts } from './parts.ts'

export function openapiRoutes(app: KinoraApp, { publicUrl }: RouteParts, version: string): void {
  let document: ReturnType<typeof describe> | undefined
  app.get('/openapi.json', async (context) => {
    document ??= describe(app, version)
    context.header('cache-control', 'public, max-age=300')
    return context.json({ ...(await document), servers: [{ url: publicUrl() }] })
  })
}

function describe(app: KinoraApp, version: string) {
  return generateSpecs(app, {
    defaultValidationErrorResponse: false,
    documentation: {
      openapi: '3.1.0',
      info: {
        title: 'Kinora',
        version,
        description: 'One picture and a sentence become a video.',
        license: { name: 'MIT', identifier: 'MIT' },
      },
      components: {
        securitySchemes: {
          apiKey: { type: 'http', scheme: 'bearer', description: 'An API key' },
          workerToken: { type: 'http', scheme: 'bearer', description: 'WORKER_TOKEN' },
          webhookSecret: { type: 'apiKey', in: 'header', name: WEBHOOK_HEADERS.secret },
        },
      },
    },
  })
}
