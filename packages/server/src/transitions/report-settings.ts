/** What a worker's report says of the settings: what it leaves out stays as it was told before. */
import type { CompleteRequest } from '@kinora/protocol'
import type { VideoProgress } from '../jobs/video-job.ts'

export function reported({ settings, notices }: CompleteRequest): Pick<VideoProgress, 'settings' | 'notices'> {
  return { ...(settings ? { settings } : {}), ...(notices ? { notices } : {}) }
}
