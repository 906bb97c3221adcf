import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { TRANSITIONS } from './table.ts'

const DOCS = new URL('../../../../docs/server.md', import.meta.url)

it('is what docs/server.md draws', () => {
  const [, diagram = ''] = /```mermaid\nstateDiagram-v2\n([\s\S]*?)```/.exec(readFileSync(DOCS, 'utf8')) ?? []
  const drawn = diagram.split('\n').flatMap((line) => line.trim() || [])
  const name = (state: string): string => (state === 'none' ? '[*]' : state)
  const table = Object.entries(TRANSITIONS).flatMap(([transition, { from, to, by }]) =>
    from.flatMap((start) => to.map((end) => `${name(start)} --> ${name(end)}: ${transition} (${by})`)),
  )
  expect(drawn.toSorted()).toEqual(table.toSorted())
})
