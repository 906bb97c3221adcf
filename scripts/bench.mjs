// The benchmarks: `npm run bench`, or some of them by name, `npm run bench -- camera generate claim first-video`. docs/benchmarks.md says what
// each measures. Only ratios carry from one machine to another.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const typescript = ['--conditions=@kinora/source', '--import', 'tsx']
const benchmarks = {
  camera: [...typescript, 'packages/worker/bench/camera.bench.ts'],
  generate: [...typescript, 'packages/server/bench/generate.bench.ts'],
  claim: [...typescript, 'packages/server/bench/claim.bench.ts'],
  'first-video': ['scripts/first-video.mjs'],
}

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !Object.hasOwn(benchmarks, name))
if (unknown.length > 0) {
  console.error(`There is no benchmark ${unknown.join(', ')}. There are ${Object.keys(benchmarks).join(', ')}.`)
  process.exit(2)
}

let failed = 0
for (const [name, args] of Object.entries(benchmarks)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  console.log(`\n== ${name}`)
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' })
  if (status !== 0) failed += 1
}
process.exit(failed === 0 ? 0 : 1)
