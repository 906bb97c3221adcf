/** The pictures of jobs, until they lie in the storage. */
export { InputError } from './input-error.ts'
export { createInputs, type InputLimits, type Inputs } from './inputs.ts'
export type { InputJobs, PicturedJob } from './jobs-port.ts'
