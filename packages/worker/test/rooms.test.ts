/** Holds the way the worker's source is built: which room may import which, and no circles, not even of types. */

import { readdirSync, readFileSync } from 'node:fs'
import { dirname, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const source = fileURLToPath(new URL('../src', import.meta.url))

/**
 * Each room with those it may import from, itself aside. A room is a file or folder of `src`; the longest name that fits a path counts.
 * Lower rooms stand first: an arrow never points down this list.
 */
const rooms: Readonly<Record<string, readonly string[]>> = {
  'failure.ts': [],
  weights: ['failure.ts'],
  onnx: ['weights'],
  media: ['failure.ts'],
  networks: ['failure.ts', 'weights', 'onnx'],
  flow: ['onnx'],
  'text/embedding-cache.ts': [],
  'text/t5': ['failure.ts', 'weights', 'onnx', 'networks'],
  'engines/engine.ts': ['media'],
  'engines/keyframes.ts': ['failure.ts'],
  'engines/resolution.ts': ['engines/engine.ts'],
  'engines/camera': ['failure.ts', 'onnx', 'media', 'engines/engine.ts', 'engines/resolution.ts'],
  'engines/ltx/coordinates.ts': [],
  'engines/ltx/latents.ts': ['onnx', 'engines/ltx/coordinates.ts'],
  // What a family is to the engine, and what families share.
  'engines/ltx/pipeline.ts': ['onnx', 'media', 'networks', 'engines/engine.ts'],
  'engines/ltx/picture.ts': ['onnx', 'media'],
  'engines/ltx/filmed-picture.ts': ['onnx', 'media', 'engines/ltx/picture.ts'],
  'engines/ltx/vae': [
    'weights',
    'onnx',
    'networks',
    'flow',
    'media',
    'failure.ts',
    'engines/ltx/coordinates.ts',
    'engines/ltx/latents.ts',
  ],
  'engines/ltx/ltx-video': [
    'failure.ts',
    'weights',
    'onnx',
    'media',
    'networks',
    'flow',
    'text/embedding-cache.ts',
    'text/t5',
    'engines/engine.ts',
    'engines/keyframes.ts',
    'engines/resolution.ts',
    'engines/ltx/coordinates.ts',
    'engines/ltx/latents.ts',
    'engines/ltx/pipeline.ts',
    'engines/ltx/picture.ts',
    'engines/ltx/filmed-picture.ts',
    'engines/ltx/vae',
  ],
  'engines/ltx': [
    'failure.ts',
    'weights',
    'onnx',
    'media',
    'networks',
    'flow',
    'text/embedding-cache.ts',
    'text/t5',
    'engines/engine.ts',
    'engines/resolution.ts',
    'engines/ltx/coordinates.ts',
    'engines/ltx/latents.ts',
    'engines/ltx/pipeline.ts',
    'engines/ltx/picture.ts',
    'engines/ltx/vae',
    'engines/ltx/ltx-video',
  ],
  engines: ['failure.ts', 'weights', 'networks', 'engines/engine.ts', 'engines/camera', 'engines/ltx'],
  // The worker itself: the process that leases jobs, and its child that computes.
  '': [
    'failure.ts',
    'weights',
    'onnx',
    'media',
    'networks',
    'engines',
    'engines/engine.ts',
    'engines/keyframes.ts',
    'engines/resolution.ts',
  ],
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'))
const imports = new Map(files.map((file) => [file, importsOf(file)]))

test('every room imports only from rooms below it', () => {
  const wrong = [...imports].flatMap(([file, imported]) =>
    imported
      .filter((target) => roomOf(target) !== roomOf(file) && !rooms[roomOf(file)]?.includes(roomOf(target)))
      .map((target) => `${file} imports ${target}`),
  )
  expect(wrong).toEqual([])
})

test('no list of allowed rooms points upwards', () => {
  const order = Object.keys(rooms)
  for (const [room, allowed] of Object.entries(rooms))
    for (const other of allowed) expect(order.indexOf(other), `${room} -> ${other}`).toBeLessThan(order.indexOf(room))
})

test('no file imports itself by way of others', () => {
  expect([...imports.keys()].flatMap((file) => circleFrom(file) ?? [])).toEqual([])
})

function importsOf(file: string): string[] {
  const text = readFileSync(resolve(source, file), 'utf8')
  return Array.from(text.matchAll(/(?:\bfrom |\bimport\(|^import )'(\.[^']+)'/gm), (match) =>
    relative(source, resolve(source, dirname(file), match[1] ?? '')).replaceAll('\\', '/'),
  )
}

function roomOf(file: string): string {
  const fitting = Object.keys(rooms).filter((room) => room === '' || file === room || file.startsWith(`${room}/`))
  return fitting.toSorted((a, b) => b.length - a.length)[0] ?? ''
}

/** The shortest way from a file back to itself. */
function circleFrom(file: string): string[] | undefined {
  const ways = [[file]]
  const seen = new Set<string>()
  for (const way of ways) {
    for (const next of imports.get(way.at(-1) ?? '') ?? []) {
      if (next === file) return [...way, next]
      if (!seen.has(next)) ways.push([...way, next])
      seen.add(next)
    }
  }
  return undefined
}
