import { Kinora, storeVideoAction } from '@kinora/convex'
import { components, internal } from './_generated/api'

/* block copies as copies */

export const used = kinora
