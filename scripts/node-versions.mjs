// Runs the SDK's and the protocol's tests on each Node that they promise to run on: `npm run test:node-versions [20 22 24]`.
// The binaries come from the npm packages node-<platform>-<arch>, and are kept in .cache/.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const versions = process.argv.length > 2 ? process.argv.slice(2) : ['20', '22', '24']

let failed = 0
for (const version of versions) {
  const node = version === process.versions.node.split('.')[0] ? process.execPath : install(version)
  const run = spawnSync(node, ['node_modules/vitest/vitest.mjs', 'run', 'packages/protocol', 'packages/sdk'], {
    cwd: root,
    stdio: 'inherit',
  })
  const shown = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout?.trim() ?? version
  console.log(`Node ${shown}: ${run.status === 0 ? 'passed' : 'FAILED'}`)
  if (run.status !== 0) failed += 1
}
process.exit(failed === 0 ? 0 : 1)

function install(version) {
  const name = `node-${process.platform}-${process.arch}`
  const folder = join(root, '.cache', `node-${version}`)
  const binary = join(folder, 'node_modules', name, 'bin', 'node')
  if (existsSync(binary)) return binary
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
  const npm = spawnSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', `${name}@${version}`], {
    cwd: folder,
    stdio: 'inherit',
  })
  if (npm.status !== 0 || !existsSync(binary)) {
    console.error(
      `Could not install ${name}@${version} from npm, which carries the Node ${version} binary for this platform.`,
    )
    process.exit(1)
  }
  return binary
}
