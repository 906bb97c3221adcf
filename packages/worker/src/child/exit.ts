/** What the end of a child means, told from its exit and its last words. */

import type { Failure } from './failure.ts'

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The end of what it wrote to stderr. */
  readonly words: string
}

const memoryWords = /heap out of memory|bad_alloc|out of memory|cannot allocate memory|failed to allocate/i

/** The failure of the job that the child was at. Exits that this process caused are not asked about. */
export function describeExit(exit: Exit): Failure {
  const { code, signal, words } = exit
  const lastWords = words.trim() === '' ? '' : ` Its last words: ${lastLines(words)}`
  if (signal === 'SIGKILL' || code === 137) {
    return {
      code: 'out_of_memory',
      message:
        "The engine's process was killed from outside (SIGKILL), as the system does when memory runs out. Ask for a smaller or shorter video, or give the worker more memory.",
      retryable: true,
    }
  }
  if (memoryWords.test(words)) {
    return { code: 'out_of_memory', message: `The engine ran out of memory.${lastWords}`, retryable: true }
  }
  const how = signal === null ? `ended with code ${code}` : `was ended by ${signal}`
  return {
    code: 'worker_crashed',
    message: `The engine's process ${how} in the middle of the job.${lastWords}`,
    retryable: true,
  }
}

function lastLines(words: string): string {
  return words.trim().split('\n').slice(-6).join(' | ').slice(-600)
}
