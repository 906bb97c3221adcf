// From a clone to the first video, in seconds of this machine: git clone, npm ci with an empty cache, npm ci again from the cache that this has
// filled (the difference is the network's), npm run demo.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'kinora-first-video-'))
const clone = join(folder, 'kinora')
const env = { ...process.env, npm_config_cache: join(folder, 'cache') }

function seconds(command, args, cwd) {
  const began = performance.now()
  const { status, stderr, stdout } = spawnSync(command, args, { cwd, env, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`)
  return (performance.now() - began) / 1000
}

try {
  const cloned = seconds('git', ['clone', '--quiet', '--no-hardlinks', root, clone], folder)
  const online = seconds('npm', ['ci', '--no-audit', '--no-fund'], clone)
  const offline = seconds('npm', ['ci', '--no-audit', '--no-fund', '--offline'], clone)
  const demo = seconds('npm', ['run', 'demo'], clone)
  const { size } = statSync(join(clone, 'demo.mp4'))
  const network = Math.max(online - offline, 0)
  const lines = {
    'git clone': cloned,
    'npm ci, without the network': online - network,
    'npm ci, the network': network,
    'npm run demo': demo,
    'clone to first video': cloned + online + demo,
  }
  for (const [name, time] of Object.entries(lines)) console.log(`${name.padEnd(30)} ${time.toFixed(1).padStart(6)} s`)
  console.log(`demo.mp4 has ${Math.ceil(size / 1024)} kB.`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
