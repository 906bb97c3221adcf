/** Models from the hub: pulled once, verified, kept in a cache. */
export { pullModel, type PulledModel, type PullOptions } from './pull-model.ts'
export {
  listModels,
  removeModel,
  verifyModel,
  type ListedModel,
  type VerifiedFile,
  type VerifyOptions,
} from './models.ts'
export { resolveModelPath, type ResolveOptions } from './resolve-model-path.ts'
export { hubOptionsFromEnvironment, type HubOptions } from './options.ts'
export { HubError, type HubErrorCode } from './hub-error.ts'
export type { License } from './license.ts'
export type { PullProgress } from './progress.ts'
export { formatBytes } from '../disk-space.ts'
export { WeightsError, type WeightsErrorCode } from '../weights-error.ts'
