/** How a job may end. */
import type { VideoResult } from './video-job.ts'

export type Ending =
  | { readonly status: 'completed'; readonly result: VideoResult }
  | { readonly status: 'failed'; readonly code: string; readonly message: string }
  | { readonly status: 'canceled' }
