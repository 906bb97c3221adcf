#!/usr/bin/env node
/**
 * Makes the generated code of the component and of the example app without a Convex deployment.
 *
 *   node scripts/codegen.mjs           writes src/component/_generated and example/convex/_generated
 *   node scripts/codegen.mjs --check   the same, and fails when that changed a file
 *
 * `convex codegen` pushes its bundles to a deployment, which evaluates them and answers what they define. `stand-in.mjs` answers in its place.
 * The order matters: the app sees the component as the built package, which in turn is built from the component's generated code.
 */
import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ensureProtocol } from './ensure-protocol.mjs'
import { startStandIn } from './stand-in.mjs'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const example = path.join(root, 'example')
const generated = [path.join(root, 'src/component/_generated'), path.join(example, 'convex/_generated')]
const require = createRequire(import.meta.url)
const check = process.argv.includes('--check')

ensureProtocol()
const before = await readAll()
const standIn = await startStandIn()
try {
  await codegen('--component-dir', path.relative(example, path.join(root, 'src/component')), '--typecheck', 'disable')
  await run(process.execPath, [path.join(root, 'scripts/build.mjs')], root)
  await codegen('--typecheck', 'disable')
  await run(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', path.join(example, 'convex')], root)
} finally {
  standIn.close()
}

const after = await readAll()
const changed = [...new Set([...before.keys(), ...after.keys()])].filter((file) => before.get(file) !== after.get(file))
for (const file of changed) console.log(`${before.has(file) ? 'changed' : 'new'}: ${path.relative(root, file)}`)
if (check && changed.length > 0) {
  console.error('The generated code was not up to date. Run "npm run codegen -w @kinora/convex" and commit the result.')
  process.exit(1)
}
console.log(changed.length === 0 ? 'The generated code is up to date.' : 'Written.')

/** One run of the Convex CLI, in the example, which is the app that has the component. */
function codegen(...options) {
  const cli = path.join(path.dirname(require.resolve('convex/package.json')), 'bin/main.js')
  return run(process.execPath, [cli, 'codegen', '--url', standIn.url, '--admin-key', 'offline', ...options], example)
}

function run(command, args, cwd) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('error', reject)
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${args.join(' ')} ended with ${code}`))))
  })
}

async function readAll() {
  const files = new Map()
  for (const folder of generated) {
    const names = await readdir(folder).catch(() => [])
    for (const name of names) {
      const file = path.join(folder, name)
      files.set(file, await readFile(file, 'utf8'))
    }
  }
  return files
}
