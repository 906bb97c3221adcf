import { videoHooks } from '@kinora/convex/react'
import { api } from '../convex/_generated/api'

export const { useVideoJob, useVideoJobs } = videoHooks(api.videos)
