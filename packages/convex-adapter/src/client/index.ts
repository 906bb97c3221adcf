/** `@kinora/convex`: what an app imports in its functions. */
export type { ComponentApi } from '../component/_generated/component.ts'
export {
  type EventType,
  isFinal,
  type JobStatus,
  jobStatus as vJobStatus,
  type Settings,
  settings as vSettings,
  videoJob as vVideoJob,
} from '../component/job.ts'
export type { CreateRequest, VideoApi, VideoApiOptions } from './api.ts'
export { Kinora } from './kinora.ts'
export type {
  CreateArgs,
  JobArgs,
  KinoraOptions,
  OnComplete,
  OnEvent,
  Pictures,
  ReadingCtx,
  Scope,
  StoreVideo,
  VideoJob,
  WritingCtx,
} from './options.ts'
export { DEFAULT_WEBHOOK_PATH, registerRoutes, type RegisterRoutesOptions, type VideoRouteOptions } from './routes.ts'
export { DEFAULT_MAX_VIDEO_BYTES, storeVideoAction, type StoreVideoOptions } from './store-video.ts'
export { type OwnValidators, vOnComplete, vOnCompleteFor, vOnEvent, vOnEventFor } from './validators.ts'
