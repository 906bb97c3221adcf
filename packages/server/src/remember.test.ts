import { expect, it } from 'vitest'
import { remember } from './remember.ts'

it('forgets the oldest entry of more than enough, and what was set again is new', () => {
  const known = new Map<string, number>()
  for (const [key, value] of [
    ['a', 1],
    ['b', 2],
    ['a', 3],
    ['c', 4],
  ] as const)
    remember(known, key, value, 2)
  expect([...known]).toEqual([
    ['a', 3],
    ['c', 4],
  ])
})
