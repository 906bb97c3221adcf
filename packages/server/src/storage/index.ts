/** Storage: the port, its key rules, and the drivers. */
export { checkKey, checkPrefix } from './key.ts'
export * from './storage.ts'
