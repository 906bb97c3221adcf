// Looks at each built package as npm would publish it: publint for its manifest, are-the-types-wrong for its entry points.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))

let failed = 0
for (const folder of readdirSync(join(root, 'packages'))) {
  const cwd = join(root, 'packages', folder)
  const manifest = JSON.parse(readFileSync(join(cwd, 'package.json'), 'utf8'))
  // Entry points that are data or types alone have nothing to resolve at run time.
  const excluded = Object.keys(manifest.exports ?? {}).filter(
    (path) => path.endsWith('.json') || path.includes('*') || path.includes('_generated'),
  )
  const exclude = excluded.length > 0 ? ['--exclude-entrypoints', ...excluded] : []
  const checks = {
    publint: ['run', '--strict'],
    // `esm-only`: CommonJS programs reach ESM by import() or by Node's require(esm). Node 10's resolution knows no exports at all.
    attw: ['--pack', '.', '--profile', 'esm-only', '--format', 'ascii', '--quiet', ...exclude],
  }
  for (const [tool, args] of Object.entries(checks)) {
    const { status } = spawnSync('npx', ['--no-install', tool, ...args], {
      cwd,
      stdio: 'inherit',
      env: { ...process.env, npm_config_loglevel: 'error' },
    })
    if (status !== 0) {
      failed += 1
      console.error(`${manifest.name}: ${tool} found something`)
    }
  }
}
process.exit(failed === 0 ? 0 : 1)
