/** Every route that there is. */
import { eventRoutes } from './events.ts'
import { generateRoutes } from './generate.ts'
import { healthRoutes } from './health.ts'
import { jobRoutes } from './jobs.ts'
import { leaseRoutes } from './leases.ts'
import { modelRoutes } from './models.ts'
import { objectRoutes } from './objects.ts'
import { openapiRoutes } from './openapi.ts'
import type { Route } from './route.ts'
import { uploadRoutes } from './uploads.ts'
import { webhookRoutes } from './webhooks.ts'

export const ROUTES: readonly Route[] = [
  ...generateRoutes,
  ...jobRoutes,
  ...eventRoutes,
  ...uploadRoutes,
  ...webhookRoutes,
  ...leaseRoutes,
  ...modelRoutes,
  ...healthRoutes,
  ...objectRoutes,
  ...openapiRoutes,
]
