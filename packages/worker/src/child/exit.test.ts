import { expect, test } from 'vitest'
import { describeExit } from './exit.ts'

test.each([
  [{ code: null, signal: 'SIGKILL', words: '' }, 'out_of_memory', /SIGKILL.*memory/],
  [{ code: 137, signal: null, words: '' }, 'out_of_memory', /SIGKILL/],
  [
    { code: null, signal: 'SIGABRT', words: 'FATAL ERROR: JavaScript heap out of memory' },
    'out_of_memory',
    /ran out of memory/,
  ],
  [
    { code: 134, signal: null, words: "terminate called after throwing 'std::bad_alloc'" },
    'out_of_memory',
    /bad_alloc/,
  ],
  [{ code: null, signal: 'SIGSEGV', words: '' }, 'worker_crashed', /was ended by SIGSEGV/],
  [{ code: 1, signal: null, words: 'TypeError: x is not a function' }, 'worker_crashed', /code 1.*x is not a function/],
] as const)('%o', (exit, code, words) => {
  expect(describeExit(exit)).toMatchObject({ code, message: expect.stringMatching(words), retryable: true })
})
