/** The client of a Kinora server. For paths of files see `@kinora/sdk/node`; to test your app without a server see `@kinora/sdk/testing`. */
export * from './errors.ts'
export type { StreamOptions } from './follow.ts'
export type { ImageInput } from './image.ts'
export {
  type CompletedJob,
  type DownloadOptions,
  type GenerateInput,
  type GenerateOptions,
  Kinora,
  type PageOptions,
  type UploadOptions,
  type WaitOptions,
} from './kinora.ts'
export type { CallOptions, KinoraOptions } from './options.ts'
export type { EndPicture, PicturePosition, Pictures, PictureSource, PlacedPicture } from './pictures.ts'
export { retryDelay } from './retry.ts'
export type { UploadProgress } from './upload.ts'
export { verifyWebhook, type VerifyWebhookOptions, type WebhookEvent } from './webhook.ts'
export {
  isFinal,
  type Health,
  type Job,
  type JobList,
  type JobStatus,
  type Model,
  parseRetryAfter,
  WebhookVerificationError,
} from '@kinora/protocol'
