import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lintComponent } from '../scripts/lint-component.mjs'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'kinora-lint-'))
  await writeFile(
    path.join(folder, 'convex.config.ts'),
    `export default defineComponent('x', { env: { API_KEY: v.string() } })`,
  )
})
afterEach(() => rm(folder, { recursive: true }))

test('our own component is clean', () => {
  expect(lintComponent(path.join(import.meta.dirname, '../src/component'))).toEqual([])
})

test.each([
  ['lib.ts', `'use node'\nexport const a = 1`, 'lib.ts:1 "use node" is not possible in a component'],
  ['lib.ts', `import { readFile } from 'node:fs/promises'`, `lib.ts:1 "node:fs/promises" is Node's`],
  ['lib.ts', `const fs = await import('fs')`, `lib.ts:1 "fs" is Node's`],
  ['lib.ts', `\nconst f = (ctx) => ctx.db.query('x').paginate(o)`, 'lib.ts:2 .paginate() fails in a component'],
  ['lib.ts', `const f = () => process.env.OTHER`, 'lib.ts:1 OTHER is not declared in convex.config.ts'],
  ['lib.ts', `const f = () => process.env['OTHER']`, 'lib.ts:1 OTHER is not declared in convex.config.ts'],
  ['lib.ts', `const f = (name) => env[name]`, 'lib.ts:1 * is not declared in convex.config.ts'],
  ['lib.ts', `const key = env.API_KEY`, 'lib.ts:1 API_KEY is read at module scope'],
  ['my-lib.ts', `export const a = 1`, 'my-lib.ts:1 Convex knows modules only by letters'],
])('%s with %j is refused', async (file, source, problem) => {
  await writeFile(path.join(folder, file), source)
  expect(lintComponent(folder)).toEqual([expect.stringContaining(problem)])
})

test('what is declared, and read in a handler, passes', async () => {
  await writeFile(path.join(folder, 'lib.ts'), `const f = () => [env.API_KEY, process.env.CONVEX_SITE_URL]`)
  expect(lintComponent(folder)).toEqual([])
})
