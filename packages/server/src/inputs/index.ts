/** The pictures of jobs, until they lie in the storage. */
export { InputError, storageUnavailable } from './input-error.ts'
export { createUploads, type UploadBook } from './uploads.ts'
export { createInputs, type Inputs } from './inputs.ts'
export type { InputJobs, PicturedJob } from './jobs-port.ts'
