// The published shape: packs every package, installs the tarballs into an empty project, type-checks a user's program against them and runs it.
//
//     npm run build && npm run test:packed
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const packages = readdirSync(join(root, 'packages')).map((folder) => join(root, 'packages', folder))
const project = mkdtempSync(join(tmpdir(), 'kinora-packed-'))

function run(command, args, options = {}) {
  const { status } = spawnSync(command, args, {
    stdio: 'inherit',
    cwd: project,
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
    ...options,
  })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${status}`)
}

try {
  const tarballs = {}
  for (const folder of packages) {
    const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    if (!existsSync(join(folder, 'dist'))) throw new Error(`${name} is not built: npm run build comes first.`)
    const packed = spawnSync('npm', ['pack', '--json', '--pack-destination', project], {
      cwd: folder,
      encoding: 'utf8',
    })
    if (packed.status !== 0) throw new Error(packed.stderr)
    const report = JSON.parse(packed.stdout)
    const [{ filename, files, size }] = Array.isArray(report) ? report : Object.values(report)
    const strangers = files.filter(
      ({ path }) =>
        /(\.test\.|\.map$|\/test\/|\/bench\/|tsconfig|\.tgz$)/.test(path) &&
        !path.endsWith('.d.ts.map') &&
        !path.endsWith('.js.map'),
    )
    if (strangers.length > 0) throw new Error(`${name} would publish ${strangers.map(({ path }) => path).join(', ')}`)
    console.log(`${name}: ${files.length} files, ${Math.ceil(size / 1024)} kB packed`)
    tarballs[name] = `file:${join(project, filename)}`
  }

  cpSync(join(root, 'test', 'packed'), project, { recursive: true })
  cpSync(join(root, 'examples', 'assets', 'chelsea.jpg'), join(project, 'photo.jpg'))
  const manifest = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8'))
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages
  // What a user chooses himself, at the versions that this workspace was tested with.
  for (const list of [manifest.dependencies, manifest.devDependencies]) {
    for (const name of Object.keys(list)) list[name] = tarballs[name] ?? lock[`node_modules/${name}`].version
  }
  // Packages of ours depend on each other by version; nothing is published yet, so each is told where its tarball lies.
  manifest.overrides = tarballs
  writeFileSync(join(project, 'package.json'), JSON.stringify(manifest, null, 2))

  run('npm', ['install', '--no-audit', '--no-fund', '--loglevel=error'])
  run('npx', ['tsc', '-p', '.'])
  run(process.execPath, ['out/program.js'])
  run('npx', ['kinora', '--version'])
  run('npx', [
    'kinora',
    'generate',
    'photo.jpg',
    '--prompt',
    'pan left',
    '--duration',
    '1',
    '--width',
    '320',
    '--height',
    '192',
    '--output',
    'from-command.mp4',
  ])
  if (!existsSync(join(project, 'from-command.mp4'))) throw new Error('kinora generate left no video')
  console.log('The packed packages install, type-check and run.')
} finally {
  rmSync(project, { recursive: true, force: true })
}
