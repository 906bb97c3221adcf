/** The component is bundled and typed against the built @kinora/protocol, as it is at its users'. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const protocol = fileURLToPath(new URL('../../protocol', import.meta.url))

/** Builds @kinora/protocol where that has not been done. */
export function ensureProtocol() {
  if (existsSync(path.join(protocol, 'dist/index.d.ts'))) return
  const { status } = spawnSync('npm', ['run', 'build'], { cwd: protocol, stdio: 'inherit' })
  if (status !== 0) throw new Error('@kinora/protocol could not be built.')
}
