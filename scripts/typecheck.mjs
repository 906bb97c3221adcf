// Type-checks every project of the workspace, each with its own library and conditions.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc')
const packages = readdirSync(join(root, 'packages')).map((folder) => join('packages', folder))
const projects = ['.', ...packages, ...packages.map((folder) => join(folder, 'example'))].filter((folder) =>
  existsSync(join(root, folder, 'tsconfig.json')),
)

let failed = 0
for (const project of projects) {
  const { status } = spawnSync(process.execPath, [tsc, '-p', project], { cwd: root, stdio: 'inherit' })
  if (status !== 0) {
    failed += 1
    console.error(`${project}: types are not right`)
  }
}
console.log(`${projects.length - failed} of ${projects.length} projects type-check.`)
process.exit(failed === 0 ? 0 : 1)
