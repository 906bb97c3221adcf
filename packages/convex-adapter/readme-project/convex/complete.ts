import { Kinora, vOnComplete } from '@kinora/convex'
import { components, internal } from './_generated/api'
import { internalMutation } from './_generated/server'

/* block complete as complete */

export const used = kinora
