import { Kinora, registerRoutes } from '@kinora/convex'
import { httpRouter } from 'convex/server'
import { components, internal } from './_generated/api'

const http = httpRouter()
/* block links-route */
export default http

export function elsewhere() {
  const http = httpRouter()
  /* block routes-http */
  /* block routes-client */
  return { http, kinora }
}
