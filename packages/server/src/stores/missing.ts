/** Drivers are installed by those who use them. */
import { StoreError } from './store.ts'

export function isMissing(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'].includes(String(error.code))
  )
}

/** Says what to install. */
export function missing(what: string, packageName: string, cause: unknown): StoreError {
  return new StoreError('driver_missing', `${what} needs the package ${packageName}: npm install ${packageName}`, {
    cause,
  })
}
