/** To test apps that use Kinora without a server. Needs `msw` 2. */
export { mockKinora, type MockKinora, type SeenRequest } from './mock-kinora.ts'
export type { Fault, MockKinoraOptions } from './mock-options.ts'
export type { MockUpload } from './mock-storage.ts'
