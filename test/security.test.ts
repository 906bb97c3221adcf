/** SECURITY.md's table of threats: every promise has rows, and every test that a row names is there. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from './harness/processes.ts'

const document = readFileSync(join(ROOT, 'SECURITY.md'), 'utf8')
const promises = [...document.matchAll(/^- \*\*(\w+)\*\* /gm)].map(([, name = '']) => name)
const rows = [...document.matchAll(/^\| (\w+) +\|.*\|.*\|.*\|(.*)\|$/gm)]
  .map(([, promise = '', tests = '']) => ({ promise, tests }))
  .filter(({ promise }) => promise !== 'promise')
const named = rows.flatMap(({ tests }) =>
  [...tests.matchAll(/\[[^\]]+\]\(([^)]+)\) “([^”]+)”/g)].map(([, file = '', name = '']) => ({ file, name })),
)

test('every promise has a threat, and every threat a promise', () => {
  expect(promises.length).toBeGreaterThan(5)
  expect([...new Set(rows.map(({ promise }) => promise))].toSorted()).toEqual(promises.toSorted())
})

test('every threat names a test', () => {
  expect(rows.filter(({ tests }) => !tests.includes('“'))).toEqual([])
  expect(named.length).toBeGreaterThanOrEqual(rows.length)
})

test('every test that is named is there', () => {
  const missing = named.filter(({ file, name }) => !existsSync(join(ROOT, file)) || !titlesIn(file).includes(name))
  expect(missing).toEqual([])
})

function titlesIn(file: string): string[] {
  const source = readFileSync(join(ROOT, file), 'utf8')
  // After `it(`, or after the table of an `it.each(…)(`.
  const titles = source.matchAll(/(?:\b(?:it|test)|\))\(\s*(['"`])((?:\\.|(?!\1).)*)\1/g)
  return [...titles].map(([, , title = '']) => title)
}
