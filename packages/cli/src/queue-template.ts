/** What a new folder of the embedded queue begins with; the build makes it, and without one the first start takes a few seconds longer. */
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** From src and from dist alike. */
const TEMPLATE = fileURLToPath(new URL('../template/queue.tar.gz', import.meta.url))

/** The template's path, where it was built. */
export function queueTemplate(): string | undefined {
  return existsSync(TEMPLATE) ? TEMPLATE : undefined
}
