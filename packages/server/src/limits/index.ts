/** Limits of each tenant and of the whole queue. */
export { createAdmission } from './admission.ts'
export { createAllowed, type AllowedBook } from './allowed.ts'
export { createRates, type Rates } from './rates.ts'
export { queueFull, tooManyJobs } from './refusals.ts'
