/** The component is bundled and typed against the built @kinora/protocol, as it is at its users'. */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const protocol = fileURLToPath(new URL('../../protocol', import.meta.url))

/** Builds @kinora/protocol where that has not been done since its sources changed. */
export function ensureProtocol() {
  const built = path.join(protocol, 'dist/index.d.ts')
  const sources = path.join(protocol, 'src')
  const newest = Math.max(
    ...readdirSync(sources, { recursive: true }).map((file) => statSync(path.join(sources, file)).mtimeMs),
  )
  if (existsSync(built) && statSync(built).mtimeMs > newest) return
  const { status } = spawnSync('npm', ['run', 'build'], { cwd: protocol, stdio: 'inherit' })
  if (status !== 0) throw new Error('@kinora/protocol could not be built.')
}
