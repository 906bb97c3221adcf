import { registerRoutes } from '@kinora/convex'
import { httpRouter } from 'convex/server'
import { components } from './_generated/api'

const http = httpRouter()
registerRoutes(http, components.drafts, { path: '/hooks/drafts' })

export default http
