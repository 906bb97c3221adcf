import { expect, test } from 'vitest'
import { isStorableText, storableText } from './text.ts'

test.each([
  ['plain', 'a cat\nwith a tail', 'a cat\nwith a tail'],
  ['a pair', 'a gull 🕊', 'a gull 🕊'],
  ['NUL', 'a\0b\0', 'a\uFFFDb\uFFFD'],
  ['half a pair, the first', 'a \uD83D', 'a \uFFFD'],
  ['half a pair, the second', '\uDD4A🕊', '\uFFFD🕊'],
])('%s', (_, text, stored) => {
  expect(isStorableText(text)).toBe(text === stored)
  expect(storableText(text)).toBe(stored)
  expect(isStorableText(stored)).toBe(true)
})
