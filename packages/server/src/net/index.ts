/** The network as strangers' URLs see it. */
export { type AllowedNetwork, createAddressCheck } from './address.ts'
export { FetchError, type FetchErrorCode } from './fetch-error.ts'
export {
  createGuardedFetch,
  type GuardedFetch,
  type GuardedFetchOptions,
  type GuardedRequest,
  type GuardedResponse,
} from './guarded-fetch.ts'
export type { Resolve } from './guarded-lookup.ts'
