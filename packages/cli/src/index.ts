/** Kinora on one machine, from code: `startLocal` is what `kinora dev` runs. The command itself is `kinora`. */
export { type LocalKinora, type LocalOptions, startLocal } from './compose.ts'
export { createOutput, type Output, type OutputStreams } from './output.ts'
