/** A process that takes a folder and keeps it until it is killed. */
import { lockFolder } from '../../src/stores/embedded/folder-lock.ts'

const folder = process.argv[2] ?? ''
try {
  await lockFolder(folder, 'the contender')
  process.send?.('held')
} catch (error) {
  process.send?.(error instanceof Error ? error.message : String(error))
}
setInterval(() => undefined, 1000)
