/** Environment variables become options: `serveKinora(await toServeOptions(readServerSettings(process.env)))`. */
export { createLogger, toServeOptions } from './options.ts'
export { DEV_DEFAULTS, LOG_LEVELS, type QueueSettings, readServerSettings, type ServerSettings } from './settings.ts'
export { type Environment, EnvironmentError } from './values.ts'
