import { describe, expect, test } from 'vitest'
import { staysInFiles } from './session-cache.ts'

const gibibyte = 2 ** 30

describe('weights are copied into memory', () => {
  test('where there is room for them twice', () => {
    expect(staysInFiles(8 * gibibyte, 16 * gibibyte)).toBe(false)
    expect(staysInFiles(8 * gibibyte, 64 * gibibyte)).toBe(false)
  })

  test('and else stay in their files', () => {
    expect(staysInFiles(8 * gibibyte, 15 * gibibyte)).toBe(true)
    expect(staysInFiles(52 * gibibyte, 32 * gibibyte)).toBe(true)
  })
})
