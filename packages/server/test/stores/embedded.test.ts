import { join } from 'node:path'
import { describeStore } from './conformance.ts'
import { embedded } from '../../src/stores/embedded/index.ts'

describeStore('embedded', false, async (folder) => ({
  driver: embedded({ dataDir: join(folder, 'data'), template: process.env.KINORA_TEST_TEMPLATE }),
  dispose: async () => undefined,
}))
