/** Ctrl-C: the first one asks a command to end in order, the second one ends it at once. */
import { EXIT } from './failure.ts'

/** The reason of the signal that {@link listenForInterrupts} aborts. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  readonly exitCode: number

  constructor(signal: 'SIGINT' | 'SIGTERM') {
    super(`Ended by ${signal}.`)
    this.exitCode = signal === 'SIGINT' ? EXIT.interrupted : EXIT.terminated
  }
}

/** Aborts the returned signal at SIGINT or SIGTERM; whoever comes a second time kills the process. */
export function listenForInterrupts(target: NodeJS.Process): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    target.on(name, () => {
      if (controller.signal.aborted) target.exit(name === 'SIGINT' ? EXIT.interrupted : EXIT.terminated)
      controller.abort(new Interrupted(name))
    })
  }
  return controller.signal
}

/** Settles when the signal aborts; for commands that run until then. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
