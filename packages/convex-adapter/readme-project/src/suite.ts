/// <reference types="vite/client" />
import { convexTest } from 'convex-test'
import { vi } from 'vitest'
import { api } from '../convex/_generated/api'
import type { Id } from '../convex/_generated/dataModel'
import schema from '../convex/schema'

declare const sourceImageId: Id<'_storage'>
const modules = {}
/* block convex-test */
export const used = jobId
