import { Kinora } from '@kinora/convex'
import { v } from 'convex/values'
import { components, internal } from './_generated/api'
import { internalMutation } from './_generated/server'

const kinora: Kinora = new Kinora(components.kinora)

/* block retention as retention */
