#!/usr/bin/env node
/**
 * What a user gets: packs @kinora/convex and @kinora/protocol, installs the tarballs into an empty Convex project outside of this repository
 * (`empty-project`), and there
 *
 *   1. resolves every entry of `exports`, and imports those that Node can run
 *   2. generates code, so that `components.kinora` is typed as users have it
 *   3. type-checks `app.use`, the client, the hooks and the test helper, libraries included
 *   4. runs a convex-test suite with `register(t)`
 *   5. type-checks the code blocks of README.md (`readme-project`), under the workspace's TypeScript and the newest
 *
 * `--convex 1.44.0` tries another version of Convex, `--keep` leaves the project for a look.
 */
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { writeReadmeProject } from './readme-blocks.mjs'
import { startStandIn } from './stand-in.mjs'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const protocol = path.join(root, '../protocol')
const project = mkdtempSync(path.join(tmpdir(), 'kinora-pack-'))

try {
  await main()
  console.log('The packed package works in an empty Convex project.')
} finally {
  if (process.argv.includes('--keep')) console.log(`Kept: ${project}`)
  else rmSync(project, { recursive: true, force: true })
}

async function main() {
  step('build and pack')
  run(process.execPath, [path.join(root, 'scripts/build.mjs')], root)
  const tarballs = { '@kinora/convex': pack(root), '@kinora/protocol': pack(protocol) }

  step('install')
  cpSync(path.join(root, 'empty-project'), project, { recursive: true })
  writeFileSync(path.join(project, 'package.json'), JSON.stringify(manifest(tarballs), null, 2))
  run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts'], project)

  step('exports')
  await checkExports()

  if (!existsSync(path.join(project, 'node_modules/@kinora/convex/LICENSE'))) throw new Error('LICENSE is not packed.')

  step('generate code')
  await generate(project)

  step('type-check')
  const require = createRequire(path.join(project, 'package.json'))
  run(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', 'convex'], project)
  run(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', '.'], project)

  step("the README's code")
  const readme = path.join(project, 'readme')
  writeReadmeProject(readme)
  writeFileSync(path.join(readme, 'package.json'), JSON.stringify({ ...manifest(tarballs), name: 'readme' }))
  await generate(readme)
  for (const compiler of ['typescript', 'typescript-newest']) {
    const { version } = readJson(path.join(project, 'node_modules', compiler, 'package.json'))
    console.log(`  TypeScript ${version}`)
    run(process.execPath, [path.join(project, 'node_modules', compiler, 'bin/tsc'), '-p', '.'], readme)
  }

  step('test')
  run('npx', ['--no-install', 'vitest', 'run'], project)
}

function manifest(tarballs) {
  const { peerDependencies, devDependencies } = readJson(path.join(root, 'package.json'))
  const workspace = readJson(path.join(root, '../../package.json')).devDependencies
  if (peerDependencies.convex === undefined) throw new Error('convex has to be a peer dependency.')
  return {
    name: 'empty-convex-project',
    private: true,
    type: 'module',
    dependencies: {
      ...Object.fromEntries(Object.entries(tarballs).map(([name, file]) => [name, `file:${file}`])),
      '@convex-dev/rate-limiter': '^0.4.0',
      convex: option('--convex') ?? devDependencies.convex,
      react: devDependencies.react,
    },
    devDependencies: {
      '@edge-runtime/vm': workspace['@edge-runtime/vm'],
      '@types/node': workspace['@types/node'],
      '@types/react': devDependencies['@types/react'],
      'convex-test': devDependencies['convex-test'],
      typescript: workspace.typescript,
      'typescript-newest': 'npm:typescript@latest',
      vitest: workspace.vitest,
    },
  }
}

async function checkExports() {
  const home = path.join(project, 'node_modules/@kinora/convex')
  const { exports } = readJson(path.join(home, 'package.json'))
  for (const [entry, target] of Object.entries(exports)) {
    const files = typeof target === 'string' ? { default: target } : target
    for (const [condition, file] of Object.entries(files)) {
      if (!existsSync(path.join(home, file)))
        throw new Error(`exports["${entry}"].${condition} names ${file}, which is not packed.`)
    }
    // Raw TypeScript and types alone are for vitest and the compiler.
    if (!files.default?.endsWith('.js')) continue
    await import(pathToFileURL(path.join(home, files.default)).href)
    console.log(`  @kinora/convex${entry.slice(1)}`)
  }
}

async function generate(cwd) {
  const standIn = await startStandIn()
  try {
    const cli = path.join(project, 'node_modules/convex/bin/main.js')
    const options = ['codegen', '--url', standIn.url, '--admin-key', 'offline', '--typecheck', 'disable']
    await new Promise((resolve, reject) => {
      // Not spawnSync: the stand-in answers from this process.
      const child = spawn(process.execPath, [cli, ...options], { cwd, stdio: ['ignore', 'ignore', 'inherit'] })
      child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`convex codegen ended with ${code}`))))
    })
  } finally {
    standIn.close()
  }
}

function pack(folder) {
  const output = run('npm', ['pack', '--json', '--pack-destination', project], folder, 'pipe')
  return path.join(project, JSON.parse(output)[0].filename)
}

function run(command, args, cwd, stdout = 'inherit') {
  const result = spawnSync(command, args, { cwd, stdio: ['ignore', stdout, 'inherit'], encoding: 'utf8' })
  if (result.status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${result.status} in ${cwd}`)
  return result.stdout
}

function option(name) {
  const at = process.argv.indexOf(name)
  return at === -1 ? undefined : process.argv[at + 1]
}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'))
}

function step(name) {
  console.log(`- ${name}`)
}
