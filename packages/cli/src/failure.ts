/** Exit codes, and errors that a command ends with on purpose. */

export const EXIT = {
  ok: 0,
  /** The job failed, or something the command needs is not there. */
  failure: 1,
  /** The command line or the environment is wrong. */
  usage: 2,
  /** Ctrl-C, as shells count it: 128 + SIGINT. */
  interrupted: 130,
  /** SIGTERM: 128 + 15. */
  terminated: 143,
} as const

/** An error whose message is all that a person needs: it is printed without a stack. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly exitCode: number

  constructor(message: string, exitCode: number = EXIT.failure, options: { cause?: unknown } = {}) {
    super(message, options)
    this.exitCode = exitCode
  }
}

/** The words for an error nobody foresaw: its message and those of its causes, without stacks. */
export function describeError(error: unknown): string {
  const words: string[] = []
  for (let cause: unknown = error; cause instanceof Error && words.length < 4; cause = cause.cause) {
    if (cause.message && !words.some((word) => word.includes(cause instanceof Error ? cause.message : '')))
      words.push(cause.message)
  }
  return words.length > 0 ? words.join(': ') : String(error)
}
