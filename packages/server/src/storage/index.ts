/** Storage: the port, its key rules, and the drivers. */
export { createDiskStorage, type DiskStorageOptions } from './disk/disk-storage.ts'
export { checkKey, checkPrefix } from './key.ts'
export { createS3Storage, type S3StorageOptions } from './s3/s3-storage.ts'
export * from './storage.ts'
