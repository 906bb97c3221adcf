/** The server's floors: a file imports from its own room and from rooms below, and no arrow runs back up. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { expect, it } from 'vitest'

const SOURCE = resolve(import.meta.dirname, '../src')

/** From the ground up. A room is a folder, or a file that stands alone. */
const FLOORS = [
  // What everybody speaks of.
  'api-error.ts',
  'version.ts',
  'join-signals.ts',
  'remember.ts',
  'repeating.ts',
  'jobs/',
  // What the server stands on.
  'net/',
  'images/',
  'storage/',
  'stores/',
  'queues.ts',
  'core.ts',
  'limits/',
  // What a request falls through.
  'models/',
  'reading/',
  'inputs/',
  'leases/',
  'transitions/',
  'deliveries/',
  'events/',
  'maintenance.ts',
  'health.ts',
  'create-core.ts',
  // HTTP.
  'http/',
  'auth/',
  'routes/',
  'options.ts',
  'create-kinora.ts',
  'serve.ts',
  'env/',
  'index.ts',
]

function floorOf(file: string): number {
  return FLOORS.findIndex((room) => (room.endsWith('/') ? file.startsWith(room) : file === room))
}

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).filter(
  (file) => file.endsWith('.ts') && !file.endsWith('.test.ts'),
)

const arrows = files.flatMap((file) =>
  [...readFileSync(join(SOURCE, file), 'utf8').matchAll(/(?:from|import)\s*\(?'(\.[^']+)'/g)].map(([, to = '']) => ({
    from: file,
    to: relative(SOURCE, resolve(SOURCE, file, '..', to)),
  })),
)

it('gives every file a floor', () => {
  expect(files.filter((file) => floorOf(file) < 0)).toEqual([])
  expect(arrows.length).toBeGreaterThan(200)
})

it('has no arrow that runs back up', () => {
  const up = arrows.filter(({ from, to }) => floorOf(to) > floorOf(from))
  expect(up.map(({ from, to }) => `${from} → ${to}`)).toEqual([])
})
